/*
What capacity factor do I need?

npm run lesson 06

               unbalanced  tokens that lose all, served  balanced,   by chance,  rows for
factor  room     dropped    by weight   by arrival      dropped     dropped     nothing
  1.00    48     37.66 %      0.10 %      2.83 %      5.96 %      5.61 %      5.96 %
  1.10    53     34.11 %      0.10 %      2.15 %      2.17 %      1.94 %     11.40 %
  1.25    60     29.72 %      0.00 %      0.68 %      0.32 %      0.26 %     20.25 %
  1.50    72     23.31 %      0.00 %      0.20 %      0.00 %      0.00 %     33.33 %
  2.00    96     14.86 %      0.00 %      0.10 %      0.00 %      0.00 %     50.00 %
  4.00   192      2.34 %      0.00 %      0.00 %      0.00 %      0.00 %     75.00 %
*/
import {
  applyCapacity,
  biasBalance,
  expectedDropShare,
  gaussian,
  loadOf,
  megatronCapacity,
  probabilityOrder,
  type Routing,
  simulate,
  tokenMajorOrder,
  unroutedTokens,
} from 'moesim'

// 1024 tokens, 128 experts, 6 a token: 48 assignments an expert on average. A bias balances the router in 60 steps.
const router = { numExperts: 128, topK: 6, scoreFunction: 'sigmoid', normalize: true, scale: 1 } as const
const workload = gaussian({ numExperts: 128, skew: 0.5 })
const balance = biasBalance({ rate: (step) => (step < 40 ? 1e-2 : 1e-3) })
const setup = { router, workload, balance, tokensPerStep: 1024, steps: 60, seed: 6 }
const routings = Array.from(simulate(setup), (report) => report.routings[0])

console.log('               unbalanced  tokens that lose all, served  balanced,   by chance,  rows for')
console.log('factor  room     dropped    by weight   by arrival      dropped     dropped     nothing')
for (const factor of [1, 1.1, 1.25, 1.5, 2, 4]) {
  const capacity = megatronCapacity(routings[0], { factor })
  const bounded = (routing: Routing, order = probabilityOrder) =>
    applyCapacity(routing, { capacity, order: order(routing) })
  const start = bounded(routings[0])
  const end = routings.slice(-10).map((routing) => bounded(routing))
  const shares = [
    start.dropped / (1024 * 6),
    unroutedTokens(start) / 1024,
    unroutedTokens(bounded(routings[0], tokenMajorOrder)) / 1024,
    mean(end.map(({ dropped }) => dropped / (1024 * 6))),
    expectedDropShare({ ...routings[0], capacity }),
    1 - mean(end.flatMap((routing) => [...loadOf(routing)])) / capacity,
  ]
  const cells = shares.map((share) => `${(100 * share).toFixed(2)} %`.padStart(11))
  console.log(`${factor.toFixed(2).padStart(6)} ${String(capacity).padStart(5)} ${cells.join(' ')}`)
}

function mean(values: number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}

// Room for a quarter more than the mean is enough once the router is balanced, and far from it before.
