import { demand, demandNothingElse, demandWhole } from '../errors.js'
import { resolveCluster } from './cluster.js'
import { linearPlacement } from './layouts.js'
import { type Migration, migrationOf } from './migration.js'
import { placeExperts } from './place.js'
import { type Arrangement, preserveSlots } from './preserve-slots.js'
import type { Cluster, Placement, PlacementPolicy } from './protocol.js'
import { stragglerFactor } from './rank-loads.js'

export interface RebalanceOptions {
  readonly cluster: Cluster
  /** Steps from one placement to the next. vLLM's default is 3000. */
  readonly interval: number
  /** Steps whose loads are summed to place by. vLLM's default is 1000. */
  readonly window: number
  /** How many steps old the newest of them is, beyond the step before: 0 unless given. */
  readonly lag?: number
  /** What one expert's weights of this layer take. */
  readonly expertBytes: number
  /** EPLB unless given. */
  readonly policy?: PlacementPolicy
  /** `preserveSlots` unless given. */
  readonly arrange?: Arrangement
  /** The placement to begin with: `linearPlacement` unless given. */
  readonly from?: Placement
}

/** One step of a layer that is placed anew from time to time. */
export interface RebalancedStep {
  readonly step: number
  /** The placement that this step ran with. */
  readonly placement: Placement
  /** Of this step's own load. */
  readonly stragglerFactor: number
  /** What moved before this step. */
  readonly migration: Migration
}

/**
 * Runs one layer's loads, [E] a step, through a placement that is made anew every `interval` steps from the loads of
 * steps before: of step s at the earliest from s + 1 on, `lag` steps later if statistics are late. So a placement is
 * always one of the past; how far the load has moved on since is what its straggler factor shows. Lazy: stop with break.
 *
 * Leaves out the time that a migration takes, during which engines go on with the old placement, and what it costs the
 * steps beside it. Throws an InputError on options and loads that do not fit.
 */
export function* rebalance(
  loads: Iterable<ArrayLike<number>>,
  options: RebalanceOptions,
): Generator<RebalancedStep> {
  const { cluster, interval, window, lag = 0, expertBytes, ...others } = options
  const { policy = placeExperts, arrange = preserveSlots, from, ...rest } = others
  demandNothingElse('rebalance: the options', rest)
  demandWhole('rebalance: interval', interval, 1, Number.MAX_SAFE_INTEGER, 'Use 1 to place every step.')
  demandWhole('rebalance: window', window, 1, Number.MAX_SAFE_INTEGER, 'Use 1 to place by a single step.')
  demandWhole('rebalance: lag', lag, 0, Number.MAX_SAFE_INTEGER, 'Use 0 for statistics of the step before.')
  const past: ArrayLike<number>[] = []
  let placement = from
  let step = 0
  for (const load of loads) {
    const { ranks, nodes } = resolveCluster('rebalance', load, cluster)
    const before: Placement = placement ?? linearPlacement(load, cluster)
    const known = past.slice(0, Math.max(0, past.length - lag))
    const due = step % interval === 0 && known.length > 0
    placement = due
      ? arrange(before, policy(summed(known, load.length), cluster, before), { ranks, nodes })
      : before
    yield {
      step,
      placement,
      stragglerFactor: stragglerFactor(load, placement, ranks),
      migration: migrationOf(before, placement, { ranks, expertBytes }),
    }
    past.push(Float64Array.from(load)) // the caller may fill its array anew
    if (past.length > window + lag) past.shift()
    step++
  }
}

function summed(loads: readonly ArrayLike<number>[], numExperts: number): Float64Array {
  const sum = new Float64Array(numExperts)
  for (const load of loads) {
    demand(
      load.length === numExperts,
      `rebalance: every load must hold ${numExperts} counts, as the step before`,
      load,
      'Rebalance one layer at a time.',
    )
    for (let e = 0; e < numExperts; e++) sum[e] += load[e]
  }
  return sum
}
