/*
What capacity factor do I need?

npm run lesson 06

               unbalanced  tokens that lose all, served  balanced,   by chance,  rows for
factor  room     dropped    by weight   by arrival      dropped     dropped     nothing
  1.00    48     37.22 %      0.00 %      1.86 %      5.95 %      5.61 %      5.95 %
  1.10    53     33.82 %      0.00 %      0.88 %      2.18 %      1.94 %     11.41 %
  1.25    60     29.61 %      0.00 %      0.59 %      0.38 %      0.26 %     20.30 %
  1.50    72     23.60 %      0.00 %      0.20 %      0.02 %      0.00 %     33.35 %
  2.00    96     15.45 %      0.00 %      0.00 %      0.00 %      0.00 %     50.00 %
  4.00   192      2.41 %      0.00 %      0.00 %      0.00 %      0.00 %     75.00 %
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
const setup = { router, workload: gaussian({ numExperts: 128, skew: 0.5 }), tokensPerStep: 1024, seed: 6 }
const balance = biasBalance({ rate: (step) => (step < 40 ? 1e-2 : 1e-3) })
const routings = Array.from(simulate({ ...setup, balance, steps: 60 }), (report) => report.routings[0])

console.log('               unbalanced  tokens that lose all, served  balanced,   by chance,  rows for')
console.log('factor  room     dropped    by weight   by arrival      dropped     dropped     nothing')
for (const factor of [1, 1.1, 1.25, 1.5, 2, 4]) {
  const capacity = megatronCapacity(routings[0], { factor })
  const [start, end] = [routings.slice(0, 1), routings.slice(-10)]
  const shares = [
    mean(start, (routing) => byWeight(routing, capacity).dropped / (1024 * 6)),
    mean(start, (routing) => unroutedTokens(byWeight(routing, capacity)) / 1024),
    mean(start, (routing) => unroutedTokens(byArrival(routing, capacity)) / 1024),
    mean(end, (routing) => byWeight(routing, capacity).dropped / (1024 * 6)),
    expectedDropShare({ ...routings[0], capacity }),
    mean(
      end,
      (routing) => 1 - loadOf(byWeight(routing, capacity)).reduce((a, b) => a + b) / (128 * capacity),
    ),
  ]
  const cells = shares.map((share) => `${(100 * share).toFixed(2)} %`.padStart(11))
  console.log(`${factor.toFixed(2).padStart(6)} ${String(capacity).padStart(5)} ${cells.join(' ')}`)
}

function byWeight(routing: Routing, capacity: number): Routing {
  return applyCapacity(routing, { capacity, order: probabilityOrder(routing) })
}

function byArrival(routing: Routing, capacity: number): Routing {
  return applyCapacity(routing, { capacity, order: tokenMajorOrder(routing) })
}

function mean(of: Routing[], share: (routing: Routing) => number): number {
  return of.reduce((sum, routing) => sum + share(routing), 0) / of.length
}

// Room for a quarter more than the mean is enough once the router is balanced, and far from it before.
