import { gumbel } from '../distributions.js'
import { demand, demandNothingElse, demandWhole } from '../errors.js'
import { selectBest } from '../kernels/select-best.js'
import type { Draws } from '../random.js'
import { logitsOf } from './logits.js'
import type { Router } from './protocol.js'
import { refuseUnordered, softmaxRows } from './score.js'

export interface SparseMixerOptions {
  readonly numExperts: number
  /** ε: an expert stands for selection while (best − logit) / max(|logit|, best) is 2ε at most. Phi-3.5-MoE uses 0.01. */
  readonly jitter: number
}

/**
 * SparseMixer, as in evaluation: the best expert, then the best of the others. The weight of each is its softmax
 * probability among the experts that stood for selection with it, those close to the best, so that the two do not
 * share a weight of 1. No bias is read.
 *
 * Source: Liu et al., arXiv 2409.12136; Hugging Face phimoe `sparsemixer`. Throws an InputError on fewer than two
 * experts, a jitter below 0, and on logits that are missing, do not fit, or are NaN or +∞.
 */
export function sparseMixer(options: SparseMixerOptions): Router {
  return mixTwice('sparseMixer', options, (close) => ({ expert: best(close), factor: 1 }))
}

/**
 * The same as in training: each of the two is drawn with its softmax probability, and a weight counts a third unless
 * the expert is the best or a draw in four fails, which makes the gradient estimate third-order (Heun). Draws come from
 * the stream 'noise/sparse-mixer'; the weights of the forward pass are simulated, the gradient is not.
 */
export function sparseMixerTraining(options: SparseMixerOptions): Router {
  return mixTwice('sparseMixerTraining', options, (close, draws) => {
    const expert = best(close.map((logit) => logit + gumbel(draws)))
    const whole = expert === best(close) || draws.uniform() > 0.75
    return { expert, factor: whole ? 1 : 0.3333 }
  })
}

/** Picks one expert of a row of logits, −∞ where it may not, and says what its probability is multiplied by. */
type Pick = (close: Float32Array, draws: Draws) => { expert: number; factor: number }

function mixTwice(who: string, { numExperts, jitter, ...rest }: SparseMixerOptions, pick: Pick): Router {
  demandNothingElse(`${who}: the options`, rest)
  demandWhole(`${who}: numExperts`, numExperts, 2, 1 << 20, 'It chooses two.')
  demand(
    jitter >= 0 && jitter < Infinity,
    `${who}: jitter must be a finite number of at least 0`,
    jitter,
    'Phi-3.5-MoE uses 0.01.',
  )
  return (batch, _, { random, layer, step }) => {
    const logits = logitsOf(batch, numExperts, who)
    refuseUnordered(logits, numExperts, who)
    const draws = random('noise/sparse-mixer', layer, step)
    const { tokens } = batch
    const experts = new Int32Array(tokens * 2)
    const weights = new Float32Array(tokens * 2)
    for (let token = 0; token < tokens; token++) {
      draws.at(token)
      const left = logits.slice(token * numExperts, (token + 1) * numExperts)
      for (let slot = 2 * token; slot < 2 * token + 2; slot++) {
        const close = closeToBest(left, jitter)
        const { expert, factor } = pick(close, draws)
        experts[slot] = expert
        if (expert < 0) continue
        weights[slot] = softmaxRows(close, numExperts, who)[expert] * factor
        left[expert] = Number.NEGATIVE_INFINITY
      }
    }
    return { tokens, topK: 2, numExperts, experts, weights, dropped: 0 }
  }
}

/** A row of logits with −∞ for those too far below the largest. */
function closeToBest(logits: Float32Array, jitter: number): Float32Array {
  const largest = logits.reduce((most, logit) => Math.max(most, logit))
  return logits.map((logit) => {
    const far = (largest - logit) / Math.max(Math.abs(logit), largest) > 2 * jitter // 0 / 0 is not far
    return far ? Number.NEGATIVE_INFINITY : logit
  })
}

/** The index of the largest value above −∞, the lower one of equals; −1 if there is none. */
function best(values: Float32Array): number {
  const chosen = new Int32Array(1)
  selectBest(values, 0, values.length, new Float32Array(1), chosen, 0)
  return chosen[0]
}
