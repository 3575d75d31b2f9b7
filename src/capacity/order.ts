import { demandWhole } from '../errors.js'
import type { Draws } from '../random.js'
import type { Routing } from '../router/routing.js'

// Who is served first where an expert has not room for all: a drop policy is an order of the filled slots, t · K + k.
// Each order is a permutation of them, as an Int32Array [filled]; an order of one's own needs to be no more than that.

/**
 * Token after token, each with all its choices: first come, first served. DeepSpeed's `topkgating` with
 * `drop_policy='position'`.
 */
export function tokenMajorOrder({ experts }: Routing): Int32Array {
  const order = new Int32Array(experts.length)
  let filled = 0
  for (let slot = 0; slot < experts.length; slot++) {
    if (experts[slot] >= 0) order[filled++] = slot
  }
  return order.slice(0, filled)
}

/**
 * All first choices in token order, then all second ones, and so on: a second choice never takes the place of a first.
 * GShard, arXiv 2006.16668, algorithm 1; Tutel, flaxformer, DeepSpeed's `top2gating`, NLLB.
 */
export function choiceMajorOrder(routing: Routing): Int32Array {
  return byChoice(routing, upTo(routing.tokens))
}

/**
 * Batch-prioritised: choice by choice, each in the order of the tokens' largest weights. V-MoE, arXiv 2106.05974;
 * Tutel, flaxformer and NLLB rank by the gate before it is normalised over the chosen. Normalised weights rank
 * otherwise: take the order of the routing with raw weights then, it holds for the other as well.
 */
export function batchPrioritizedOrder(routing: Routing): Int32Array {
  const { tokens, topK, weights } = routing
  const largest = Float32Array.from({ length: tokens }, (_, token) =>
    weights.subarray(token * topK, (token + 1) * topK).reduce((most, weight) => Math.max(most, weight), 0),
  )
  return byChoice(routing, descending(upTo(tokens), largest))
}

/**
 * Largest combine weight first. Megatron-LM `moe_token_drop_policy='probs'`, DeepSpeed's `topkgating` with
 * `drop_policy='probs'`. Ties go to the earlier token, which `torch.topk` leaves open.
 */
export function probabilityOrder(routing: Routing): Int32Array {
  return descending(tokenMajorOrder(routing), routing.weights)
}

/**
 * Every order with the same chance: random token selection, DeepSpeed's `use_rts`. In a simulation, pass
 * `context.random('capacity', context.layer, context.step)`.
 *
 * A token's lot hangs on its place in the batch alone. The routing of a part, as `groupwise` hands it on, starts at
 * `firstToken` of the batch; without it, every part would draw what the first does. Throws an InputError on a place that is
 * no token.
 */
export function randomOrder(routing: Routing, draws: Draws, firstToken = 0): Int32Array {
  const { tokens, topK } = routing
  const last = 2 ** 32 - tokens
  demandWhole('randomOrder: firstToken', firstToken, 0, last, 'It is where the part begins in its batch.')
  const keys = new Float64Array(tokens * topK)
  for (let token = 0; token < tokens; token++) {
    draws.at(firstToken + token)
    for (let k = 0; k < topK; k++) keys[token * topK + k] = draws.uniform()
  }
  return descending(tokenMajorOrder(routing), keys)
}

function byChoice({ topK, experts }: Routing, tokenOrder: Int32Array): Int32Array {
  const order = new Int32Array(experts.length)
  let filled = 0
  for (let k = 0; k < topK; k++) {
    for (const token of tokenOrder) {
      const slot = token * topK + k
      if (experts[slot] >= 0) order[filled++] = slot
    }
  }
  return order.slice(0, filled)
}

/** 0, 1, …, count − 1. */
function upTo(count: number): Int32Array {
  const indices = new Int32Array(count)
  for (let i = 0; i < count; i++) indices[i] = i
  return indices
}

/** Sorts indices by their keys, largest first, ties to the lower index. */
const descending = (indices: Int32Array, keys: ArrayLike<number>): Int32Array =>
  indices.sort((a, b) => keys[b] - keys[a] || a - b)
