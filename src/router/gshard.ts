import { gumbel } from '../distributions.js'
import { type RouterConfig, resolveRouter } from './config.js'
import { logitsOf } from './logits.js'
import type { Router } from './protocol.js'
import { routeScored } from './route.js'
import { routeAt } from './route-at.js'
import { refuseUnordered } from './score.js'
import { topK } from './top-k.js'

/**
 * GShard's top-2 with the second expert always used: softmax over all experts, the two best, weights g₁ and g₂ divided by
 * their sum. Source: Lepikhin et al., arXiv 2006.16668, algorithm 1.
 */
export const gshardTop2 = (numExperts: number): RouterConfig => ({
  numExperts,
  topK: 2,
  scoreFunction: 'softmax',
  normalize: true,
  scale: 1,
})

/**
 * The same with the second expert drawn from the softmax of those left: the best of logit + Gumbel noise, the first
 * masked. Weights are those of the clean logits; the bias is not used. Source: `top2gating` of DeepSpeed, its default;
 * policy 'sampling' of NLLB-MoE in Hugging Face transformers.
 */
export function gshardTop2Sampled(numExperts: number): Router {
  const router = gshardTop2(numExperts)
  resolveRouter(router)
  return (batch, _bias, { random, layer, step }) => {
    const logits = logitsOf(batch, numExperts, 'gshardTop2Sampled')
    refuseUnordered(logits, numExperts, 'gshardTop2Sampled')
    const firsts = topK(logits, numExperts, 1)
    const draws = random('noise/sampled-second', layer, step)
    const keys = new Float32Array(numExperts)
    const experts = new Int32Array(2 * batch.tokens)
    firsts.forEach((first, token) => {
      draws.at(token)
      for (let e = 0; e < numExperts; e++) keys[e] = logits[token * numExperts + e] + gumbel(draws)
      keys[first] = Number.NEGATIVE_INFINITY
      experts.set([first, topK(keys, numExperts, 1)[0]], 2 * token)
    })
    return routeAt(logits, experts, router)
  }
}

/**
 * The chance that a token keeps its second expert, from the weights g₁ + g₂ = 1 of its pair and from its probability in
 * the softmax over all experts.
 */
export type SecondChance = (first: number, second: number, probability: number) => number

/**
 * The same with the second expert kept by chance, with probability 2 · g₂ unless another is given: a token sure of its
 * first expert does without. The weight of the first stays what it was in the pair. The bias is not used.
 *
 * Source: GShard's algorithm 1, lines 14–18, and `random_routing` of FastMoE, where g₂ is the share in the pair. For ST-MoE's
 * threshold, `(_, second) => second / 0.2`; for policy 'random' of NLLB-MoE in Hugging Face transformers, whose chance is of
 * the plain probability and so shrinks with E, `(_first, _second, probability) => 2 * probability`.
 */
export function gshardTop2Random(
  numExperts: number,
  chance: SecondChance = (_first, second) => 2 * second,
): Router {
  const router = gshardTop2(numExperts)
  resolveRouter(router)
  return (batch, _bias, { random, layer, step }) => {
    const logits = logitsOf(batch, numExperts, 'gshardTop2Random')
    const { scores, ...routing } = routeScored(logits, router)
    const { experts, weights } = routing
    const draws = random('noise/second', layer, step)
    for (let slot = 1; slot < experts.length; slot += 2) {
      if (experts[slot] < 0) continue
      const probability = scores[(slot >> 1) * numExperts + experts[slot]]
      if (draws.at(slot >> 1).uniform() < chance(weights[slot - 1], weights[slot], probability)) continue
      experts[slot] = -1
      weights[slot] = 0
    }
    return routing
  }
}
