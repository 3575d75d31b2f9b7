import { demandNothingElse } from '../errors.js'
import { type FormatName, rounded, roundTo } from '../formats/number-formats.js'
import { roundedNvfp4 } from '../formats/nvfp4.js'
import type { RouterConfig } from './config.js'
import { linearRouter } from './linear.js'
import type { Router } from './protocol.js'
import type { Rounding, Roundings } from './rounding.js'
import { routeRounded } from './route-rounded.js'
import type { Routing } from './routing.js'

/** The number format of each station of a router; fp32 unless given. */
export interface Precision {
  readonly logits?: FormatName
  readonly scores?: FormatName
  /** The selection keys, score + bias. A stored bias is the caller's: `rounded(bias, 'bf16')`. */
  readonly keys?: FormatName
  /** The combine weights. */
  readonly weights?: FormatName
}

/**
 * Routes as `route` does, each station's result rounded to a number format: what a router in bf16 or fp8 selects.
 *
 * A station computes in float32 and rounds what it hands on, as elementwise kernels of GPUs do; no format is fp32, which
 * is `route` to the last bit. Rounding makes ties, which go to the lower index. With softmax 'afterTopK' the logits are
 * the scores and get both roundings. Throws what `route` throws, also where a finite logit overflows to +∞, and an
 * InputError on an unknown format.
 */
export function routeInPrecision(
  logits: Float32Array,
  router: RouterConfig,
  precision: Precision,
  bias?: Float32Array,
): Routing {
  const { scores: _, ...routing } = routeRounded(
    logits,
    router,
    bias,
    roundingsOf('routeInPrecision', precision),
  )
  return routing
}

function roundingsOf(who: string, { logits, scores, keys, weights, ...rest }: Precision): Roundings {
  demandNothingElse(`${who}: the precision`, rest)
  return {
    logits: rounding(logits),
    scores: rounding(scores),
    keys: rounding(keys),
    weights: rounding(weights),
  }
}

/** float32 needs no rounding: arrays hold it. */
const rounding = (format: FormatName = 'fp32'): Rounding | undefined =>
  format === 'fp32' ? undefined : roundTo(format)

/** A precision of the stations, and of the router's own weights [E, D]. */
export interface LinearPrecision extends Precision {
  readonly matrix?: FormatName | 'nvfp4'
}

/**
 * `linearRouter` in a precision: the matrix [E, D], one a layer or one for all, is rounded once; products are summed in
 * float32, as tensor cores do. nvfp4 needs a D that is a multiple of 16.
 */
export function linearRouterInPrecision(
  router: RouterConfig,
  weights: Float32Array | readonly Float32Array[],
  precision: LinearPrecision,
): Router {
  const { matrix = 'fp32', ...stations } = precision
  const roundMatrix = (weight: Float32Array): Float32Array =>
    matrix === 'nvfp4' ? roundedNvfp4(weight, weight.length / router.numExperts) : rounded(weight, matrix)
  const stored = weights instanceof Float32Array ? roundMatrix(weights) : weights.map(roundMatrix)
  const roundings = roundingsOf('linearRouterInPrecision', stations)
  return linearRouter(router, stored, (logits, _, bias) => routeRounded(logits, router, bias, roundings))
}
