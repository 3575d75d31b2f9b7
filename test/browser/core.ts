import {
  biasBalance,
  forwardLayer,
  gaussian,
  nemotron3Nano,
  randomWeights,
  routeLayer,
  routerOf,
  simulate,
  streams,
} from 'moesim'

/** What ten steps and a layer leave behind: it depends on every draw, score, choice and product. */
export function core(): { load: number[]; bias: number[]; output: number[] } {
  const router = routerOf(nemotron3Nano)
  const workload = gaussian({ numExperts: router.numExperts, skew: 0.5 })
  const balance = biasBalance({ rate: 1e-2 })
  const reports = [...simulate({ router, workload, balance, tokensPerStep: 512, steps: 10 })]
  const { load, bias } = reports[9]

  const config = { hiddenSize: 24, expertWidth: 12, router, gated: true, activation: 'silu' } as const
  const weights = randomWeights(config, streams('page'))
  const hidden = new Float32Array(20 * config.hiddenSize)
  hidden.set(weights.router!.subarray(0, hidden.length))
  const output = forwardLayer(hidden, routeLayer(hidden, weights, config), weights, config)
  return { load: [...load], bias: [...bias], output: [...output] }
}
