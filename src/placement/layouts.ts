import { resolveCluster } from './cluster.js'
import { placementOf } from './placement-of.js'
import type { Cluster, Placement } from './protocol.js'

/**
 * Experts in their order, then from the first again in spare slots: the layout of a model as it is loaded, blind to load
 * and groups. vLLM, expert placement strategy 'linear', and its EPLB before the first rebalancing. Throws an InputError as
 * `placeExperts` does.
 */
export function linearPlacement(load: ArrayLike<number>, cluster: Cluster): Placement {
  const { replicas } = resolveCluster('linearPlacement', load, cluster)
  return placementOf(
    Int32Array.from({ length: replicas }, (_, slot) => slot % load.length),
    load.length,
  )
}

/**
 * The same order dealt out to ranks in turns: rank r gets r, r + R, r + 2R … vLLM, expert placement strategy
 * 'round_robin'. Throws an InputError as `placeExperts` does.
 */
export function roundRobinPlacement(load: ArrayLike<number>, cluster: Cluster): Placement {
  const { replicas, ranks } = resolveCluster('roundRobinPlacement', load, cluster)
  const slots = replicas / ranks
  const dealt = Int32Array.from({ length: replicas }, (_, slot) => {
    return ((slot % slots) * ranks + Math.floor(slot / slots)) % load.length
  })
  return placementOf(dealt, load.length)
}
