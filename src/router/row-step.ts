import { demand } from '../errors.js'
import { asRouter, biasUsed } from './as-router.js'
import { type RouterConfig, resolveRouter } from './config.js'
import { hiddenOf } from './hidden.js'
import { logitsOf } from './logits.js'
import type { Router, StepContext } from './protocol.js'
import { routeScored } from './route.js'
import { routeAt } from './route-at.js'

/**
 * A change of logits [T, E] or of hidden states [T, D]: rows of `width` in, new rows out. A step without randomness needs
 * only the first parameter or two, so that it can be used alone; one with noise draws it from the context's streams.
 */
export type RowStep = (rows: Float32Array, width: number, context: StepContext) => Float32Array

/** Applies steps to the logits before `router` sees them, in the order given: they reach selection and weights. */
export function onLogits(router: Router | RouterConfig, ...steps: RowStep[]): Router {
  const inner = asRouter(router)
  return (batch, bias, context) => {
    const { logits, tokens } = batch
    demand(
      logits !== undefined && logits.length % Math.max(tokens, 1) === 0,
      `onLogits: the batch must have logits, a row for each of ${tokens} tokens`,
      logits,
      'Make them of hidden states with routerLogits, or use a workload that gives them.',
    )
    return inner({ ...batch, logits: applySteps(steps, logits, tokens, context) }, bias, context)
  }
}

/** Applies steps to the hidden states before `router` sees them, in the order given. */
export function onHidden(router: Router, ...steps: RowStep[]): Router {
  return (batch, bias, context) => {
    const hidden = applySteps(steps, hiddenOf(batch, 'onHidden'), batch.tokens, context)
    return router({ ...batch, hidden }, bias, context)
  }
}

/** Applies steps to the logits for selection only: the weights are those of the logits as they came. */
export function onSelection(router: RouterConfig, ...steps: RowStep[]): Router {
  const { numExperts } = resolveRouter(router)
  return (batch, bias, context) => {
    const logits = logitsOf(batch, numExperts, 'onSelection')
    const changed = applySteps(steps, logits, batch.tokens, context)
    const { experts, scores } = routeScored(changed, router, biasUsed(router, bias))
    return { ...routeAt(logits, experts, router), scores }
  }
}

function applySteps(
  steps: readonly RowStep[],
  rows: Float32Array,
  tokens: number,
  context: StepContext,
): Float32Array {
  const width = tokens === 0 ? 0 : rows.length / tokens
  return steps.reduce((changed, step) => step(changed, width, context), rows)
}
