/** The slots that a layer's experts live in, and where those are. */
export interface Cluster {
  /** P, slots of all ranks together: E at least, of which P − E are spare, for second copies. A multiple of `ranks`. */
  readonly replicas: number
  /** R, devices, each with P / R slots. A multiple of `nodes`. */
  readonly ranks: number
  /** M, nodes of R / M ranks each; 1 unless given. */
  readonly nodes?: number
  /** G, contiguous groups of experts, each of which stays within one node; 1 unless given. */
  readonly groups?: number
}

/** Which expert stands in which slot. A rank's slots are contiguous, and so are a node's ranks. */
export interface Placement {
  /** [P] the expert in each slot. */
  readonly experts: Int32Array
  /** [P] which replica of that expert it is, from 0. */
  readonly replicaRank: Int32Array
  /** [E] how many replicas an expert has: 1 at least. */
  readonly replicaCount: Int32Array
}

/** A way to place experts by their load [E]; `rebalance` tells it what stands there now, which most policies ignore. */
export type PlacementPolicy = (load: ArrayLike<number>, cluster: Cluster, before?: Placement) => Placement

/** Items in packs of one size. */
export interface Packing {
  /** [n] the pack of each item. */
  readonly pack: Int32Array
  /** [n] its place in that pack, from 0. */
  readonly position: Int32Array
}
