import type { Batch, Router, StepContext } from './protocol.js'
import type { Routing } from './routing.js'

/**
 * What a causal run chooses: each token is routed by the batch up to and including itself, as when text is generated
 * token by token. A router that looks at one token at a time chooses the same for the whole batch; `agreement` counts
 * the difference where it does not. T runs of the router. Tokens stand in the order of the batch.
 */
export function causalRouting(
  router: Router,
  batch: Batch,
  bias: Float32Array,
  context: StepContext,
): Routing {
  const last = Array.from({ length: batch.tokens }, (_, token) => {
    const tokens = token + 1
    return lastRow(router(firstTokens(batch, tokens), bias, { ...context, tokens }))
  })
  const { numExperts } = router(batch, bias, context)
  const topK = last.reduce((most, { experts }) => Math.max(most, experts.length), 1)
  const experts = new Int32Array(batch.tokens * topK).fill(-1)
  const weights = new Float32Array(batch.tokens * topK)
  last.forEach((row, token) => {
    experts.set(row.experts, token * topK)
    weights.set(row.weights, token * topK)
  })
  return { tokens: batch.tokens, topK, numExperts, experts, weights, dropped: 0 }
}

function lastRow({ experts, weights, topK }: Routing): Pick<Routing, 'experts' | 'weights'> {
  return { experts: experts.slice(-topK), weights: weights.slice(-topK) }
}

/** The batch cut after so many tokens: every array holds as many values a token. */
function firstTokens(batch: Batch, tokens: number): Batch {
  const arrays = Object.entries(batch).filter(([, values]) => ArrayBuffer.isView(values))
  const cut = arrays.map(([name, values]) => [
    name,
    values.subarray(0, (values.length / batch.tokens) * tokens),
  ])
  return { ...Object.fromEntries(cut), tokens }
}
