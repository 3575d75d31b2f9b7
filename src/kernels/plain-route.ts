import { sigmoid, softplus } from '../math.js'
import type { BlockRouter, RouteSettings } from './block-router.js'
import { cutLogits } from './cutoffs.js'
import { groupMask } from './group-mask.js'
import { softmaxRow } from './scores.js'
import { selectBest } from './select-best.js'
import { weighRow } from './weigh-row.js'

/** The plain twin of ./assembly/route.ts: the same cuts, and the same results to the last bit. */
export function plainRoute(settings: RouteSettings, bias: Float32Array): BlockRouter {
  const { numExperts, topK, scoring, numGroups, topGroups } = settings
  const weighing = { ...settings, softmax: scoring === 'afterTopK' }
  const maskLesserGroups = topGroups < numGroups ? groupMask(settings) : undefined
  // Cuts: the usual one, a lower and a higher one; none yet.
  const cuts = new Float32Array(3)
  const limits = Array.from(cuts, () => new Float64Array(numExperts).fill(Infinity))
  const candidates = new Int32Array(numExperts)
  const everyone = candidates.map((_, e) => e)
  const scores = new Float32Array(numExperts)
  const keys = new Float32Array(numExperts)
  const bestKeys = new Float32Array(topK)
  const places = new Int32Array(topK)
  const selected = new Float64Array(topK)
  const load = new Int32Array(numExperts)
  const powers = new Float64Array(numExperts)
  const shares = new Float32Array(numExperts)
  const kths: number[] = []
  const tops: number[] = []

  /** Scores and keys of `n` experts; false if one of their logits is NaN or +∞. */
  function score(rows: Float32Array, row: number, experts: Int32Array, n: number): boolean {
    if (scoring === 'sigmoid') for (let i = 0; i < n; i++) scores[i] = sigmoid(rows[row + experts[i]])
    else if (scoring === 'sqrtsoftplus')
      for (let i = 0; i < n; i++) scores[i] = Math.sqrt(softplus(rows[row + experts[i]]))
    else for (let i = 0; i < n; i++) scores[i] = rows[row + experts[i]]
    let unordered = 0
    for (let i = 0; i < n; i++) {
      keys[i] = scores[i] + bias[experts[i]]
      unordered += 1 - Number(rows[row + experts[i]] < Infinity)
    }
    return unordered === 0
  }

  /** Where the best K stand among the candidates, by the cut that suits the token; false if there is no such cut. */
  function selectAbove(rows: Float32Array, row: number): boolean {
    let level = 0
    let n = above(rows, row, limits[0], candidates)
    if (n < topK || n > 4 * topK + 24) {
      level = n < topK ? 1 : 2
      n = above(rows, row, limits[level], candidates)
      if (n < topK) return false
    }
    if (!score(rows, row, candidates, n)) return false
    selectBest(keys, 0, n, bestKeys, places, 0)
    return bestKeys[topK - 1] >= cuts[level]
  }

  /** The same among all experts; false if a logit is NaN or +∞. */
  function selectAmongAll(rows: Float32Array, row: number): boolean {
    if (!score(rows, row, everyone, numExperts)) return false
    for (let e = 0; e < numExperts; e++) {
      if (rows[row + e] === Number.NEGATIVE_INFINITY) keys[e] = Number.NEGATIVE_INFINITY
    }
    maskLesserGroups?.(keys)
    selectBest(keys, 0, numExperts, bestKeys, places, 0)
    return true
  }

  return {
    most: 1024,
    cut({ main, low, high }) {
      cuts.set([main, low, high])
      cuts.forEach((cut, level) => cutLogits(cut, bias, scoring, limits[level]))
    },
    route(rows, first, tokens, experts, weights) {
      kths.length = 0
      tops.length = 0
      const apart = Math.ceil(tokens / 64)
      for (let token = first; token < first + tokens; token++) {
        let [from, row] = [rows, token * numExperts]
        if (scoring === 'softmax') {
          softmaxRow(rows, row, powers, shares, 0)
          for (let e = 0; e < numExperts; e++) {
            if (rows[row + e] === Number.NEGATIVE_INFINITY) shares[e] = Number.NEGATIVE_INFINITY
          }
          ;[from, row] = [shares, 0]
        }
        let among = candidates
        if (!selectAbove(from, row)) {
          among = everyone
          if (!selectAmongAll(from, row)) return false
        }
        for (let slot = 0; slot < topK; slot++) {
          const place = places[slot]
          const expert = place < 0 ? -1 : among[place]
          experts[token * topK + slot] = expert
          selected[slot] = place < 0 ? Number.NEGATIVE_INFINITY : scores[place]
          if (place >= 0) load[expert]++
        }
        weighRow(selected, weighing, weights, token * topK)
        if ((token - first) % apart === 0) {
          kths.push(bestKeys[topK - 1])
          tops.push(bestKeys[0])
        }
      }
      return true
    },
    kths: () => Float32Array.from(kths),
    tops: () => Float32Array.from(tops),
    load: () => load,
  }
}

/**
 * Lists the experts whose logit is above their limit, or NaN: without a branch, which would often be guessed wrong, and four
 * at a time, 167 ns for 128 experts instead of 270.
 */
function above(rows: Float32Array, row: number, limits: Float64Array, out: Int32Array): number {
  const { length } = limits
  let n = 0
  let e = 0
  for (; e + 4 <= length; e += 4) {
    const at = row + e
    out[n] = e
    n += 1 - Number(rows[at] <= limits[e])
    out[n] = e + 1
    n += 1 - Number(rows[at + 1] <= limits[e + 1])
    out[n] = e + 2
    n += 1 - Number(rows[at + 2] <= limits[e + 2])
    out[n] = e + 3
    n += 1 - Number(rows[at + 3] <= limits[e + 3])
  }
  for (; e < length; e++) {
    out[n] = e
    n += 1 - Number(rows[row + e] <= limits[e])
  }
  return n
}
