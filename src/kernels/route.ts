import type { BlockRouter, RouteSettings } from './block-router.js'
import { type Cuts, cutLogits, cutsOf, type Scoring, stillFit } from './cutoffs.js'
import { type Instance, sharedInstance } from './instance.js'
import { plainRoute } from './plain-route.js'
import { scoreKinds } from './scores.js'

export interface Routed {
  /** [T, K] */
  readonly experts: Int32Array
  readonly weights: Float32Array
  /** [E] */
  readonly load: Int32Array
}

/** Routes rows [T, E] of logits, or of keys without their bias; undefined if one is NaN or +∞. */
export function routeRows(
  rows: Float32Array,
  settings: RouteSettings,
  bias: Float32Array,
): Routed | undefined {
  const { numExperts, topK } = settings
  const fits = numExperts <= 1024 && topK <= 32
  const instance = fits ? sharedInstance() : undefined
  const router = instance ? fastRoute(instance, settings, bias) : plainRoute(settings, bias)
  const tokens = rows.length / numExperts
  const experts = new Int32Array(tokens * topK)
  const weights = new Float32Array(tokens * topK)
  // The first few tokens go the whole way and tell where to cut; from then on each block tells the next.
  let block = 16
  let cuts: Cuts | undefined
  for (let first = 0; first < tokens; first += block, block = Math.min(router.most, block * 8)) {
    const some = Math.min(block, tokens - first)
    if (!router.route(rows, first, some, experts, weights)) return undefined
    if (settings.topGroups < settings.numGroups) continue // groups are scored by all of their experts
    const kths = router.kths()
    if (cuts !== undefined && stillFit(cuts, kths)) continue
    cuts = cutsOf(kths, router.tops())
    if (cuts !== undefined) router.cut(cuts)
  }
  return { experts, weights, load: router.load() }
}

const kinds: Readonly<Record<Scoring, number>> = { ...scoreKinds, given: 2, afterTopK: 3 }

/** Rows that stay, with what becomes of them, in the second-level cache. */
const cachedFloats = 1 << 17

function fastRoute(kernels: Instance, settings: RouteSettings, bias: Float32Array): BlockRouter {
  const { numExperts, topK, scoring, normalize, scale, epsilon, numGroups, topGroups, groupScoreTop } =
    settings
  const most = Math.max(32, Math.floor(cachedFloats / (numExperts + 2 * topK)))
  const width = Math.ceil(numExperts / 64) * 64
  const padded = Math.ceil(numExperts / 16) * 16
  const [biasAt, cutsAt, loadAt, scratchAt, rowsAt, expertsAt, weightsAt, kthsAt, topsAt, powersAt] =
    kernels.lay(
      4 * width,
      12 * width,
      4 * width + 64,
      kernels.scratchBytes.value,
      4 * ((most + 4) * numExperts + 64),
      4 * (most + 4) * topK,
      4 * (most + 4) * topK,
      4 * (most + 4),
      4 * (most + 4),
      8 * (numExperts + 4),
    )
  const { buffer } = kernels.memory
  const floats = (at: number, length: number) => new Float32Array(buffer, at, length)
  const ints = (at: number, length: number) => new Int32Array(buffer, at, length)
  floats(biasAt, numExperts).set(bias)
  const load = ints(loadAt + 64, numExperts).fill(0) // in front of it, empty slots are counted
  const levels = [0, 1, 2].map((level) => floats(cutsAt + level * 4 * padded, padded).fill(Infinity))
  const given = [biasAt, cutsAt, scratchAt, loadAt + 64] as const
  const groups = [numGroups, topGroups, groupScoreTop] as const
  kernels.plan(numExperts, topK, kinds[scoring], normalize ? 1 : 0, scale, epsilon, ...groups, ...given)
  const blockRows = floats(rowsAt, most * numExperts)
  const blockExperts = ints(expertsAt, most * topK)
  const blockWeights = floats(weightsAt, most * topK)
  let seen = 0
  const keys = (at: number) => sample(ints(at, seen))
  return {
    most,
    cut({ main, low, high, top }) {
      cutLogits(main, bias, scoring, levels[0])
      cutLogits(low, bias, scoring, levels[1])
      cutLogits(high, bias, scoring, levels[2])
      kernels.cut(orderOf(low) - 1, orderOf(top), orderOf(main), orderOf(low), orderOf(high))
    },
    route(rows, first, tokens, experts, weights) {
      seen = tokens
      blockRows.set(rows.subarray(first * numExperts, (first + tokens) * numExperts))
      const softmax = scoring === 'softmax' // its scores are those of a whole row
      if (
        softmax &&
        !kernels.scores(rowsAt, tokens, numExperts, scoreKinds.softmax, -Infinity, rowsAt, powersAt)
      ) {
        return false
      }
      if (!kernels.route(rowsAt, tokens, expertsAt, weightsAt, kthsAt, topsAt)) return false
      experts.set(blockExperts.subarray(0, tokens * topK), first * topK)
      weights.set(blockWeights.subarray(0, tokens * topK), first * topK)
      return true
    },
    kths: () => keys(kthsAt),
    tops: () => keys(topsAt),
    load: () => load.slice(),
  }
}

const bits = new Int32Array(1)
const value = new Float32Array(bits.buffer)

/** The order of a key among all float32 numbers, as a whole number; its own inverse. */
const flip = (order: number): number => order ^ ((order >> 31) & 0x7fffffff)

function orderOf(key: number): number {
  value[0] = key
  return flip(bits[0])
}

function sample(orders: Int32Array): Float32Array {
  const some = Math.min(64, orders.length)
  return Float32Array.from({ length: some }, (_, i) => {
    bits[0] = flip(orders[Math.floor((i * orders.length) / some)])
    return value[0]
  })
}
