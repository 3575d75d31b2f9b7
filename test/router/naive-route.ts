import { exp, type RouterConfig, type Routing, sigmoid, softplus } from 'moesim'

/**
 * `route` in the plainest words, the reference beside the kernel and its twin: all scores, all keys, K times the best of
 * what is left. It checks nothing.
 */
export function naiveRoute(
  logits: Float32Array,
  router: RouterConfig,
  bias: Float32Array = new Float32Array(router.numExperts),
): Pick<Routing, 'experts' | 'weights'> {
  const { numExperts, topK } = router
  const tokens = logits.length / numExperts
  const experts = new Int32Array(tokens * topK)
  const weights = new Float32Array(tokens * topK)
  for (let token = 0; token < tokens; token++) {
    const row = logits.subarray(token * numExperts, (token + 1) * numExperts)
    const scores = scoresOf(row, router)
    const keys = scores.map((score, e) => (row[e] === -Infinity ? -Infinity : score + bias[e]))
    maskGroups(keys, router)
    const chosen = best(keys, topK)
    experts.set(chosen, token * topK)
    weights.set(weigh(chosen, scores, router), token * topK)
  }
  return { experts, weights }
}

function scoresOf(row: Float32Array, { scoreFunction, softmaxOrder }: RouterConfig): Float32Array {
  if (scoreFunction === 'sigmoid') return row.map(sigmoid)
  if (scoreFunction === 'sqrtsoftplus') return row.map((logit) => Math.sqrt(softplus(logit)))
  if (softmaxOrder === 'afterTopK') return row
  const largest = Math.max(...row)
  if (largest === -Infinity) return new Float32Array(row.length)
  const powers = Float64Array.from(row, (logit) => exp(logit - largest))
  const sums = [0, 0, 0, 0]
  powers.forEach((power, e) => {
    sums[e % 4] += power
  })
  const total = sums[0] + sums[1] + (sums[2] + sums[3])
  return Float32Array.from(powers, (power) => power / total)
}

/** The places of the `wanted` largest keys above −∞, ties to the lower one, −1 where there are no more. */
function best(keys: Float32Array, wanted: number): number[] {
  const left = keys.slice()
  return Array.from({ length: wanted }, () => {
    let first = -1
    for (let e = 0; e < left.length; e++) if (left[e] > (first < 0 ? -Infinity : left[first])) first = e
    if (first >= 0) left[first] = -Infinity
    return first
  })
}

function maskGroups(keys: Float32Array, router: RouterConfig): void {
  const { numExperts, numGroups = 1, topGroups = numGroups } = router
  const size = numExperts / numGroups
  const { groupScoreTop = Math.min(2, size) } = router
  if (topGroups === numGroups) return
  const standing = Array.from({ length: numGroups }, (_, group) => {
    const own = keys.subarray(group * size, (group + 1) * size)
    const tops = best(own, groupScoreTop).filter((e) => e >= 0)
    const sums: number[] = []
    for (const e of tops) sums.push(Math.fround((sums.at(-1) ?? 0) + own[e]!))
    while (sums.at(-1) === -Infinity) sums.pop() // an overflow
    return { group, open: sums.length, sum: sums.at(-1) ?? 0 }
  }).filter(({ open }) => open > 0)
  standing.sort((a, b) => b.open - a.open || b.sum - a.sum || a.group - b.group)
  const kept = standing.slice(0, topGroups).map(({ group }) => group)
  for (let e = 0; e < numExperts; e++) if (!kept.includes(Math.floor(e / size))) keys[e] = -Infinity
}

function weigh(chosen: readonly number[], scores: Float32Array, router: RouterConfig): number[] {
  const { scale, normalize, epsilon = 1e-20, softmaxOrder } = router
  let selected = chosen.map((e) => (e < 0 ? 0 : scores[e]))
  let divisor = 1
  if (softmaxOrder === 'afterTopK') {
    const largest = Math.max(...chosen.map((e) => (e < 0 ? -Infinity : scores[e])))
    selected = chosen.map((e) => (e < 0 ? 0 : exp(scores[e] - largest)))
    divisor = selected.reduce((sum, power) => sum + power, 0)
  } else if (normalize) divisor = selected.reduce((sum, score) => sum + score, 0) + epsilon
  return selected.map((score) => (score > 0 ? (score / divisor) * scale : 0))
}
