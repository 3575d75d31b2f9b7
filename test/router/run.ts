import { type Batch, loadOf, type Router, type Routing, streams } from 'moesim'

interface Where {
  bias?: Float32Array
  step?: number
  layer?: number
  seed?: number
}

/** The routing that a router makes of a batch, without the scores it may tell. */
export function run(router: Router, batch: Batch, where: Where = {}): Routing {
  const { scores: _, ...routing } = runScored(router, batch, where)
  return routing
}

/** What a router makes of a batch: at step 0 of layer 0 of seed 1, with a bias of 0, unless told otherwise. */
export function runScored(router: Router, batch: Batch, where: Where = {}): Routing {
  const { step = 0, layer = 0, seed = 1, bias = zeros(batch) } = where
  return router(batch, bias, { step, layer, tokens: batch.tokens, random: streams(seed) })
}

/** A bias of 0 for as many experts as there are logits of a token; 8 where there are none. */
const zeros = ({ logits, tokens }: Batch) =>
  new Float32Array(logits && tokens > 0 ? logits.length / tokens : 8)

/** A batch of logits. */
export const ofLogits = (numExperts: number, ...logits: number[]): Batch => ({
  tokens: logits.length / numExperts,
  logits: Float32Array.from(logits),
})

/** Standard normal logits, or hidden states, [tokens, width]. */
export function normalRows(tokens: number, width: number, seed = 1): Float32Array {
  const draws = streams(seed)('test')
  return Float32Array.from({ length: tokens * width }, () => draws.normal())
}

/** Routes logits [T, E] without any bias. */
export const routeBy = (router: Router, logits: Float32Array, numExperts: number): Routing =>
  run(router, { tokens: logits.length / numExperts, logits })

/** Weights as [T, E], 0 where an expert is not chosen. */
export function denseWeights({ experts, weights, tokens, topK, numExperts }: Routing): Float32Array {
  const dense = new Float32Array(tokens * numExperts)
  experts.forEach((expert, slot) => {
    if (expert >= 0) dense[Math.floor(slot / topK) * numExperts + expert] = weights[slot]
  })
  return dense
}

/** Share of all assignments that go to each expert. */
export const sharesOf = (routing: Routing): number[] => {
  const load = [...loadOf(routing)]
  const total = load.reduce((sum, count) => sum + count, 0)
  return load.map((count) => count / total)
}

/** Five standard errors of a share p of n draws. */
export const fiveErrors = (p: number, n: number): number => 5 * Math.sqrt((p * (1 - p)) / n)
