import { demand, demandNothingElse } from '../errors.js'
import { maxOverMean } from '../metrics/load.js'
import type { Routing } from '../router/routing.js'
import { type AllToAll, allToAllSeconds } from './all-to-all.js'
import { demandHardware, exchangeFields, type Hardware } from './hardware.js'
import type { LayerSeconds } from './layer-time.js'
import { type ExpertShape, expertGemms, type GemmFormats, type Roofline } from './roofline.js'
import { type RankMap, sentTokens, type TokenVector, type Traffic, trafficOf } from './traffic.js'

export interface LayerSetup
  extends ExpertShape,
    GemmFormats,
    Pick<TokenVector, 'dispatch' | 'combine'>,
    Pick<AllToAll, 'latencySeconds' | 'steps'> {
  readonly map: RankMap
  readonly hardware: Hardware
  /** Shared experts as one, of their whole width; none unless given. */
  readonly shared?: ExpertShape
  /** Attention, the router and what else comes first; 0 unless given. */
  readonly denseSeconds?: number
  /** Which vectors travel: `sentTokens` unless given, or `sentAssignments`. */
  readonly sent?: (routing: Routing, map: RankMap) => Int32Array
}

export interface LayerCost {
  /** [R] assignments of each rank's experts. */
  readonly load: Int32Array
  /** Largest load of a rank over the mean: by how much work is slower than spread evenly. */
  readonly stragglerFactor: number
  /** [R] the experts of each rank. */
  readonly ranks: readonly Roofline[]
  readonly traffic: Traffic
  readonly seconds: LayerSeconds
}

/**
 * A routing turned into seconds of one layer, forward: all ranks wait for the slowest rank's experts and for the busiest
 * port. Every part is a lower bound (see `expertGemms`, `allToAllSeconds`); `noOverlap` and its like add them up.
 * Throws an InputError where the map does not fit the routing.
 */
export function moeLayerCost(routing: Routing, setup: LayerSetup): LayerCost {
  const {
    map,
    hardware,
    shared,
    denseSeconds = 0,
    sent = sentTokens,
    latencySeconds,
    steps,
    ...sizes
  } = setup
  const { width, expertWidth, gated, weights, activations, dispatch, combine, ...rest } = sizes
  demandNothingElse('moeLayerCost: the setup', rest)
  demandHardware('moeLayerCost', hardware, 'memoryBytesPerSecond', ...exchangeFields)
  const holds = denseSeconds >= 0 && denseSeconds < Infinity
  demand(holds, 'moeLayerCost: denseSeconds must be a number of at least 0', denseSeconds, 'Use 0.')
  const gemms = { hardware, weights, activations }
  const traffic = trafficOf(sent(routing, map), { width, dispatch, combine })
  const load = new Int32Array(map.ranks)
  const touched = Array.from({ length: map.ranks }, () => new Set<number>())
  for (const expert of routing.experts) {
    if (expert < 0) continue
    const rank = map.expertRank[expert]
    load[rank]++
    touched[rank].add(expert)
  }
  const ranks = touched.map(({ size: experts }, rank) =>
    expertGemms({ ...gemms, width, expertWidth, gated, assignments: load[rank], experts }),
  )
  const own = new Int32Array(map.ranks)
  for (const rank of map.tokenRank) own[rank]++
  const assignments = own.reduce((most, tokens) => Math.max(most, tokens), 0)
  const travel = (bytes: Float64Array): number => allToAllSeconds({ bytes, hardware, latencySeconds, steps })
  return {
    load,
    stragglerFactor: maxOverMean(load),
    ranks,
    traffic,
    seconds: {
      denseSeconds,
      dispatchSeconds: travel(traffic.dispatchBytes),
      expertSeconds: ranks.reduce((most, { seconds }) => Math.max(most, seconds), 0),
      combineSeconds: travel(traffic.combineBytes),
      sharedSeconds: shared ? expertGemms({ ...gemms, ...shared, assignments, experts: 1 }).seconds : 0,
    },
  }
}
