import type { Routing } from '../router/routing.js'
import { tokenMajorOrder } from './order.js'

/** Which rows each expert computes. */
export interface Dispatch {
  /** [filled] slots t · K + k, expert after expert: the token of a row is ⌊slot / K⌋, its weight weights[slot]. */
  readonly slots: Int32Array
  /** [E + 1] expert e has the rows offsets[e] … offsets[e + 1] − 1. */
  readonly offsets: Int32Array
}

/**
 * The order of rows in which experts compute: expert-major, and within an expert by token (a stable sort by expert), as
 * Megatron-LM `permute` and torchtitan have it. Another `order` of the filled slots gives the buffer position of codes
 * that fill it otherwise: `choiceMajorOrder` that of GShard, Tutel and DeepSpeed's `top2gating`.
 *
 * To gather, take token ⌊slot / K⌋ for every row; to combine, add weights[slot] times the row's result to that token.
 */
export function dispatchOrder(routing: Routing, order: Int32Array = tokenMajorOrder(routing)): Dispatch {
  const { numExperts, experts } = routing
  const offsets = new Int32Array(numExperts + 1)
  for (const slot of order) offsets[experts[slot] + 1]++
  for (let e = 0; e < numExperts; e++) offsets[e + 1] += offsets[e]
  const next = offsets.slice()
  const slots = new Int32Array(order.length)
  for (const slot of order) slots[next[experts[slot]]++] = slot
  return { slots, offsets }
}
