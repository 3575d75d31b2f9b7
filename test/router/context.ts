import { type Batch, type Router, type Routing, type StepContext, streams } from 'moesim'

export const context: StepContext = { step: 0, layer: 0, tokens: 0, random: streams(1) }

/** Routes logits [T, E] without any bias. */
export function routeBy(router: Router, logits: Float32Array, numExperts: number): Routing {
  return routeBatch(router, { tokens: logits.length / numExperts, logits }, numExperts)
}

export function routeBatch(router: Router, batch: Batch, numExperts: number): Routing {
  return router(batch, new Float32Array(numExperts), { ...context, tokens: batch.tokens })
}

/** [T][…] the experts of each token, without empty slots. */
export function chosen({ experts, tokens, topK }: Routing): number[][] {
  return Array.from({ length: tokens }, (_, token) =>
    [...experts.subarray(token * topK, (token + 1) * topK)].filter((expert) => expert >= 0),
  )
}

/** Weights as [T, E], 0 where an expert is not chosen. */
export function denseWeights({ experts, weights, tokens, topK, numExperts }: Routing): Float32Array {
  const dense = new Float32Array(tokens * numExperts)
  experts.forEach((expert, slot) => {
    if (expert >= 0) dense[Math.floor(slot / topK) * numExperts + expert] = weights[slot]
  })
  return dense
}
