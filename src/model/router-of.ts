import { demand } from '../errors.js'
import { checkModel } from './check.js'
import { type ModelConfig, sublayersOf } from './config.js'
import type { RouterConfig } from './router-config.js'

/**
 * The router that all mixture-of-experts layers of a model share, ready for `route` and `simulate`.
 * Layers that choose by the token's id are passed over. Throws an InputError on a model without such layers, or with layers that route differently.
 */
export function routerOf(model: ModelConfig): RouterConfig {
  checkModel(model)
  const [first, ...others] = sublayersOf(model).flatMap((sublayer) =>
    sublayer.kind === 'moe' && !sublayer.hashed ? [sublayer.router] : [],
  )
  demand(
    first !== undefined,
    'routerOf: the model must have a mixture-of-experts layer',
    model.name,
    "Give one of its letters a sublayer of kind 'moe'.",
  )
  const odd = others.find((router) => !alike(router, first))
  demand(
    odd === undefined,
    'routerOf: all mixture-of-experts layers of the model must route alike',
    model.name,
    'Take the router of the layer you mean, such as model.layers.E[0].router.',
  )
  return first
}

const alike = (a: RouterConfig, b: RouterConfig): boolean =>
  (Object.keys({ ...a, ...b }) as (keyof RouterConfig)[]).every((setting) => a[setting] === b[setting])
