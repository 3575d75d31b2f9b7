import type { BlockRouter, RouteSettings } from './block-router.js'
import { type Cuts, cutLogits, mostLevels } from './cutoffs.js'
import type { RoutingInstance } from './routing-module.js'
import { type Scoring, scoreKinds } from './scores.js'

const kinds: Readonly<Record<Scoring, number>> = { ...scoreKinds, afterTopK: 3 }

/** Rows that stay, with what becomes of them, in the second-level cache. */
const cachedFloats = 1 << 17

/** Whether the kernel can do it; its twin can do all. */
export const fits = ({ numExperts, topK }: RouteSettings): boolean => numExperts <= 1024 && topK <= 32

/** A router whose rows may also be made where they are routed. */
export interface SimdRouter extends BlockRouter {
  /** Where the rows of a block lie. */
  readonly rowsAt: number
  /** Where the areas of `more` lie. */
  readonly areas: readonly number[]
  /**
   * Routes the rows that lie there, or at `rows`; false if a logit is NaN or +∞. Experts and weights of up to three more
   * tokens are written to, at `experts` and `weights` if these are given.
   */
  routeInPlace(tokens: number, rows?: number, experts?: number, weights?: number): boolean
  /** Starts anew with another bias, no load, and the cuts there are. */
  restart(bias: Float32Array): void
}

/** The kernel at work in the memory of `kernels`, beside areas of `more` bytes; what was laid there is given up. */
export function simdRoute(
  kernels: RoutingInstance,
  settings: RouteSettings,
  firstBias: Float32Array,
  more: readonly number[] = [],
): SimdRouter {
  const { numExperts, topK, scoring, normalize, scale, epsilon, numGroups, topGroups, groupScoreTop } =
    settings
  const most = Math.max(32, Math.floor(cachedFloats / (numExperts + 2 * topK)))
  const width = Math.ceil(numExperts / 64) * 64
  const padded = Math.ceil(numExperts / 16) * 16
  const [
    biasAt,
    cutsAt,
    loadAt,
    scratchAt,
    rowsAt,
    expertsAt,
    weightsAt,
    kthsAt,
    topsAt,
    powersAt,
    ...areas
  ] = kernels.lay(
    4 * width + 4, // behind it, one more is read
    4 * mostLevels * (padded + 1),
    4 * width + 64,
    kernels.scratchBytes.value,
    4 * ((most + 4) * numExperts + 64),
    4 * (most + 4) * topK,
    4 * (most + 4) * topK,
    4 * (most + 4),
    4 * (most + 4),
    8 * (numExperts + 4),
    ...more,
  )
  const { floats, words } = kernels
  const bias = floats(biasAt, numExperts)
  bias.set(firstBias)
  const load = words(loadAt + 64, numExperts).fill(0) // in front of it, empty slots are counted
  const limits = floats(cutsAt, mostLevels * padded).fill(Infinity)
  const keysAt = cutsAt + 4 * limits.length
  const cutKeys = floats(keysAt, mostLevels)
  const given = [biasAt, cutsAt, keysAt, scratchAt, loadAt + 64] as const
  const groups = [numGroups, topGroups, groupScoreTop] as const
  kernels.plan(numExperts, topK, kinds[scoring], normalize ? 1 : 0, scale, epsilon, ...groups, ...given)
  const blockRows = floats(rowsAt, most * numExperts)
  const blockExperts = words(expertsAt, most * topK)
  const blockWeights = floats(weightsAt, most * topK)
  const kths = sampler(words(kthsAt, most))
  const tops = sampler(words(topsAt, most))
  let seen = 0
  let told = 0
  let cuts: Cuts | undefined
  const cut = (to: Cuts): void => {
    cuts = to
    const { keys, first, top } = to
    cutKeys.set(keys)
    keys.forEach((key, level) => cutLogits(key, bias, scoring, limits.subarray(level * padded)))
    kernels.cut(keys.length, first, top)
  }
  const routeInPlace: SimdRouter['routeInPlace'] = (
    tokens,
    rows = rowsAt,
    toExperts = expertsAt,
    toWeights = weightsAt,
  ) => {
    seen = tokens
    let from = rows
    if (scoring === 'softmax') {
      // Its scores are those of a whole row.
      from = rowsAt
      if (!kernels.scores(rows, tokens, numExperts, scoreKinds.softmax, -Infinity, from, powersAt))
        return false
    }
    told = kernels.route(from, tokens, toExperts, toWeights, kthsAt, topsAt)
    return told > 0
  }
  return {
    most,
    rowsAt,
    areas,
    cut,
    routeInPlace,
    restart(next) {
      load.fill(0)
      if (next.every((value, e) => value === bias[e])) return
      bias.set(next)
      if (cuts !== undefined) cut(cuts)
    },
    route(rows, first, tokens, experts, weights) {
      blockRows.set(rows.subarray(first * numExperts, (first + tokens) * numExperts))
      if (!routeInPlace(tokens)) return false
      experts.set(blockExperts.subarray(0, tokens * topK), first * topK)
      weights.set(blockWeights.subarray(0, tokens * topK), first * topK)
      return true
    },
    kths: () => kths(seen),
    tops: () => tops(seen),
    slow: () => told - 1,
    load: () => load.slice(),
  }
}

/** A key by its order among all float32 numbers, as a whole number; its own inverse. */
const flip = (order: number): number => order ^ ((order >> 31) & 0x7fffffff)

/** Gives some of the first keys, evenly apart, in an array that the next call writes over; `orders` are theirs. */
function sampler(orders: Int32Array): (count: number) => Float32Array {
  const keys = new Float32Array(64)
  const keyBits = new Int32Array(keys.buffer)
  return (count) => {
    const some = Math.min(keys.length, count)
    const apart = Math.floor(count / some)
    for (let i = 0; i < some; i++) keyBits[i] = flip(orders[i * apart])
    return some < keys.length ? keys.subarray(0, some) : keys
  }
}
