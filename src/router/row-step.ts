import { demand } from '../errors.js'
import type { Streams } from '../random.js'
import { asRouter, biasUsed } from './as-router.js'
import { type RouterConfig, resolveRouter } from './config.js'
import { hiddenOf } from './hidden.js'
import { logitsOf } from './logits.js'
import type { Router, StepContext } from './protocol.js'
import { routeScored } from './route.js'
import { routeAt } from './route-at.js'

/**
 * A change of logits [T, E] or of hidden states [T, D]: rows of `width` in, new rows out. A step without randomness needs
 * only the first parameter or two, so that it can be used alone; one with noise draws it from the context's streams. No two
 * steps that are applied to a batch draw the same numbers, nor does the router behind them: the first to name a stream has
 * it, and for the next the same name is another stream.
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
    const { rows, after } = applySteps(steps, logits, tokens, context)
    return inner({ ...batch, logits: rows }, bias, after)
  }
}

/** Applies steps to the hidden states before `router` sees them, in the order given. */
export function onHidden(router: Router, ...steps: RowStep[]): Router {
  return (batch, bias, context) => {
    const { rows, after } = applySteps(steps, hiddenOf(batch, 'onHidden'), batch.tokens, context)
    return router({ ...batch, hidden: rows }, bias, after)
  }
}

/** Applies steps to the logits for selection only: the weights are those of the logits as they came. */
export function onSelection(router: RouterConfig, ...steps: RowStep[]): Router {
  const { numExperts } = resolveRouter(router)
  return (batch, bias, context) => {
    const logits = logitsOf(batch, numExperts, 'onSelection')
    const { rows } = applySteps(steps, logits, batch.tokens, context)
    const { experts, scores } = routeScored(rows, router, biasUsed(router, bias))
    return { ...routeAt(logits, experts, router), scores }
  }
}

/** The rows changed by one step after another, and the context for what comes after them. */
function applySteps(
  steps: readonly RowStep[],
  given: Float32Array,
  tokens: number,
  context: StepContext,
): { rows: Float32Array; after: StepContext } {
  const width = tokens === 0 ? 0 : given.length / tokens
  const taken = new Map<string, number>()
  let rows = given
  for (const step of steps) {
    const named = new Set<string>()
    rows = step(rows, width, { ...context, random: inTurn(context.random, taken, named) })
    for (const name of named) taken.set(name, (taken.get(name) ?? 0) + 1)
  }
  return { rows, after: { ...context, random: inTurn(context.random, taken) } }
}

/** The streams with a + behind a name for each earlier step that has taken it, also behind those of steps around these. */
function inTurn(random: Streams, taken: ReadonlyMap<string, number>, named = new Set<string>()): Streams {
  return (name, layer, step) => {
    const first = name.replace(/\++$/, '')
    named.add(first)
    return random(name + '+'.repeat(taken.get(first) ?? 0), layer, step)
  }
}
