import type { BlockRouter, RouteSettings } from './block-router.js'
import { cutLogits } from './cutoffs.js'
import { groupKeeper } from './keep-groups.js'
import { listAbove } from './list-above.js'
import { orderFew } from './order-few.js'
import { plainScores, scoreEach } from './scores.js'
import { selectBest } from './select-best.js'
import { weighRow } from './weigh-row.js'

/** Tokens of the largest block. */
const most = 1024

/** Tokens whose candidates are scored together. */
const batch = 32

/** The plain twin of ./assembly/route/route.ts: the same results to the last bit, by the same stages. */
export function plainRoute(settings: RouteSettings, bias: Float32Array): BlockRouter {
  const plan = planOf(settings, bias)
  let seen = 0
  return {
    most,
    cut({ keys, first }) {
      plan.cuts = keys
      plan.first = first
      keys.forEach((key, level) => {
        plan.limits[level] ??= new Array(bias.length)
        cutLogits(key, bias, settings.scoring, plan.limits[level])
      })
    },
    route(rows, first, tokens, experts, weights) {
      seen = tokens
      plan.slow = 0
      for (let done = 0; done < tokens; done += batch) {
        const some = Math.min(batch, tokens - done)
        if (!routeBatch(plan, rows, first, done, some, experts, weights)) return false
      }
      return true
    },
    kths: () => plan.kths.subarray(0, seen),
    tops: () => plan.tops.subarray(0, seen),
    slow: () => plan.slow,
    load: () => plan.load.slice(1),
  }
}

// The work is done by functions of the module on a plan: what V8 compiles for a closure goes when the closure does. The plan
// is written out, for objects with spread parts may differ in shape from call to call, and V8 then compiles anew.

type Plan = ReturnType<typeof planOf>

function planOf(settings: RouteSettings, bias: Float32Array) {
  const { numExperts, topK, scoring, normalize, scale, epsilon, numGroups, topGroups } = settings
  const grouped = topGroups < numGroups
  const few = (grouped ? 8 : 4) * topK + 24
  const room = batch * Math.min(few, numExperts) + numExperts + 4
  // Where the experts in question stand in the rows, and their scores.
  const list = new Int32Array(room)
  const scores = new Float32Array(room)
  return {
    numExperts,
    topK,
    scoring,
    normalize,
    scale,
    epsilon,
    bias,
    few,
    softmax: scoring === 'afterTopK',
    keepGroups: grouped ? groupKeeper(settings, { list, scores, bias }) : undefined,
    // Cuts, and the logits of each that are surely below it; none yet.
    cuts: [0] as readonly number[],
    first: 0,
    limits: [Array.from(bias, () => Infinity)],
    slow: 0,
    list,
    scores,
    /** The order of the candidates of a token, from the best on. */
    order: new Int32Array(Math.max(few, numExperts) + 3),
    // The candidates of a token, of a batch, stand in front of its end, and are all above its floor.
    ends: new Int32Array(batch),
    floors: new Float32Array(batch),
    keys: Array.from({ length: few + 3 }, () => Infinity),
    selected: new Float64Array(topK),
    // Of a token that goes the whole way.
    allKeys: new Float32Array(numExperts),
    bestKeys: new Float32Array(topK),
    // Of a block, by place: the K-th best and the best key of each token.
    kths: new Float32Array(most),
    tops: new Float32Array(most),
    load: new Int32Array(1 + numExperts), // in front of it, empty slots are counted
  }
}

/** Routes the next tokens of a block, of which so many are done; false if a logit is NaN or +∞. */
function routeBatch(
  plan: Plan,
  logits: Float32Array,
  first: number,
  done: number,
  tokens: number,
  experts: Int32Array,
  weights: Float32Array,
): boolean {
  const { numExperts, topK, scoring, ends } = plan
  let rows: Float32Array | undefined = logits
  let row = (first + done) * numExperts
  if (scoring === 'softmax') {
    const own = logits.subarray(row, row + tokens * numExperts)
    rows = plainScores(own, numExperts, scoring, Number.NEGATIVE_INFINITY)
    row = 0
  }
  if (rows === undefined) return false
  const end = listCandidates(plan, rows, row, tokens)
  if (!score(plan, rows, 0, end)) return false
  for (let t = 0, start = 0; t < tokens; t++) {
    let from = start
    if (!selectAbove(plan, row, start, t, done + t)) {
      plan.slow++
      if (!selectAmongAll(plan, rows, row, end, done + t)) return false
      from = end
    }
    emit(plan, from, row, (first + done + t) * topK, experts, weights)
    start = ends[t]
    row += numExperts
  }
  return true
}

/** Lists the candidates of each token by the cut that suits it, none where no cut does. Gives where the list ends. */
function listCandidates(plan: Plan, rows: Float32Array, from: number, tokens: number): number {
  const { numExperts, topK, few, cuts, first, limits, list, ends, floors } = plan
  let start = 0
  for (let t = 0; t < tokens; t++) {
    const row = from + t * numExperts
    let level = first
    let n = listAbove(rows, row, limits[level], list, start)
    for (let [least, most] = [0, cuts.length - 1]; n < topK || n > few; ) {
      if (n < topK) most = level - 1
      else least = level + 1
      n = 0
      if (least > most) break
      level = (least + most + 1) >> 1
      n = listAbove(rows, row, limits[level], list, start)
    }
    floors[t] = cuts[level]
    start += n
    ends[t] = start
  }
  return start
}

/** Scores what the list holds from `start` to `end`; false if one of the logits is NaN or +∞. */
function score({ scoring, list, scores }: Plan, rows: Float32Array, start: number, end: number): boolean {
  let unordered = 0
  for (let i = start; i < end; i++) {
    scores[i] = rows[list[i]]
    unordered += 1 - Number(scores[i] < Infinity)
  }
  scoreEach(scores, start, end, scoring)
  return unordered === 0
}

/** Orders the candidates of a token of a batch, listed from `start` on; false if its best K may not be among them. */
function selectAbove(plan: Plan, row: number, start: number, t: number, place: number): boolean {
  const { topK, bias, list, scores, order, ends, floors, keys, kths, tops, keepGroups } = plan
  const kept = keepGroups?.(row, start, ends[t], floors[t])
  const n = kept?.count ?? ends[t] - start
  if (n < topK) return false
  for (let i = 0; i < n; i++) {
    const key = Math.fround(scores[start + i] + bias[list[start + i] - row])
    // Of equal keys the first is larger, by so little that they round to the same float32, up to a million of them.
    keys[i] = key - i * (Math.abs(key) * 1e-14 + 1e-60)
  }
  orderFew(keys, n, order)
  kths[place] = Math.min(kept?.least ?? Infinity, keys[order[topK - 1]])
  tops[place] = keys[order[0]]
  return kths[place] >= floors[t]
}

/** Selects among all experts of a token, listed from `start` on; false if a logit is NaN or +∞. */
function selectAmongAll(plan: Plan, rows: Float32Array, row: number, start: number, place: number): boolean {
  const { numExperts, topK, bias, list, scores, allKeys, bestKeys, order, keepGroups } = plan
  let end = start
  for (let e = 0; e < numExperts; e++) {
    list[end] = row + e
    end += Number(rows[row + e] !== Number.NEGATIVE_INFINITY)
  }
  if (!score(plan, rows, start, end)) return false
  const kept = keepGroups?.(row, start, end, Number.NEGATIVE_INFINITY)
  const n = kept?.count ?? end - start
  for (let i = 0; i < n; i++) allKeys[i] = scores[start + i] + bias[list[start + i] - row]
  selectBest(allKeys, 0, n, bestKeys, order, 0)
  // Empty slots stand after the last expert.
  list[start + n] = row - 1
  scores[start + n] = Number.NEGATIVE_INFINITY
  for (let slot = 0; slot < topK; slot++) if (order[slot] < 0) order[slot] = n
  plan.kths[place] = Math.min(kept?.least ?? Infinity, bestKeys[topK - 1])
  plan.tops[place] = bestKeys[0]
  return true
}

/** Writes out the best K of a token, whose list starts there, and counts them. */
function emit(
  plan: Plan,
  start: number,
  row: number,
  to: number,
  experts: Int32Array,
  weights: Float32Array,
): void {
  const { topK, list, scores, order, selected, load } = plan
  for (let slot = 0; slot < topK; slot++) {
    const at = start + order[slot]
    const expert = list[at] - row
    experts[to + slot] = expert
    selected[slot] = scores[at]
    load[expert + 1]++
  }
  weighRow(selected, plan, weights, to)
}
