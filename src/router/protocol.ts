import type { DrawnRouter } from '../kernels/drawn-route.js'
import type { Normals } from '../kernels/normal-rows.js'
import type { Streams } from '../random.js'
import type { Routing } from './routing.js'

/**
 * The tokens of one layer at one step: logits, or hidden states for a router that has weights of its own, and
 * optionally where each token comes from.
 */
export interface Batch {
  readonly tokens: number
  /** [T, E] router logits. */
  readonly logits?: Float32Array
  /** [T, D] hidden states. */
  readonly hidden?: Float32Array
  /** [T] each, whole numbers. */
  readonly domains?: Int32Array
  readonly sequences?: Int32Array
  readonly positions?: Int32Array
  readonly tokenIds?: Int32Array
}

/** Where the simulation stands when it asks a workload for tokens or a router for a routing. */
export interface StepContext {
  readonly step: number
  readonly layer: number
  /** Tokens wanted. */
  readonly tokens: number
  /** The named streams; `random(name, layer, step)` draws numbers that nothing else draws. */
  readonly random: Streams
}

/** A router of one's own: any function from tokens and the current bias, [E], to a routing. */
export interface Router {
  (batch: Batch, bias: Float32Array, context: StepContext): Routing
  /**
   * Where it can draw hidden states that are normals itself, and count their load, faster than it routes a batch:
   * `linearRouter` can. Leave it out of a router of one's own.
   */
  readonly drawn?: (hidden: Normals) => DrawnRouter | undefined
}
