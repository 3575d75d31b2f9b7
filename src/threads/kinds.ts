import type { LayerConfig, LayerWeights, RouterConfig, Routing } from '../index.js'

/** Route tokens of the rows [T, E] block by block until none is left. */
export interface RouteTask {
  /** Of the whole batch, the token that the first row belongs to. */
  readonly from: number
  readonly router: RouterConfig
  readonly bias: Float32Array | undefined
  /** [1] blocks taken so far, by whoever shares the rows. */
  readonly taken: Int32Array
  /** How many share them. */
  readonly threads: number
  /** The last blocks, left to the thread that asks: it works while the answers are on their way. */
  readonly left: number
}

/** Tokens from `from` on, routed. */
export interface Part {
  readonly from: number
  readonly experts: Int32Array
  readonly weights: Float32Array
}

/** What threads are asked to do with rows of floats, and what is made of them. Layers go by numbers. */
interface Kinds {
  route: { task: RouteTask; made: readonly Part[] }
  prepare: { task: { layer: number; weights: LayerWeights; config: LayerConfig }; made: true }
  /** Rows [T, D], with their routing where they have one, to [T, D]. */
  forward: { task: { layer: number; routing: Routing | undefined }; made: Float32Array }
  release: { task: { layer: number }; made: true }
}
export type Kind = keyof Kinds
type Made<K extends Kind> = Kinds[K]['made']
export type Task<K extends Kind> = Kinds[K]['task']

/** How a worker does each: it gives what it has made, and the memory in that which goes along and is not copied. */
export type Works<Some extends Kind = Kind> = {
  [K in Some]: (rows: Float32Array, task: Task<K>, room: Room) => [made: Made<K>, transfer: ArrayBuffer[]]
}

/** So many bytes or more, of any content, for what is made: memory that goes to and fro, and is touched already. */
type Room = (bytes: number) => ArrayBuffer

/**
 * A task as it is sent: shared memory only if it is not that of the worker's last one. A worker counts what it is sent as its
 * own until it next collects garbage, and would do so after every other batch.
 */
export interface Order<K extends Kind> {
  readonly kind: K
  readonly task: Task<K>
  /** A copy of a part of the batch, or shared memory that is new. */
  readonly memory?: ArrayBufferLike
  readonly byteOffset: number
  readonly length: number
  /** Lent for what is made. */
  readonly room: ArrayBuffer
}

export interface Answer<K extends Kind> {
  /** Nothing if something was refused, which is for the asker to explain: it knows the whole batch. */
  readonly made?: Made<K>
  /** Memory that is not shared goes back, to be filled anew. */
  readonly memory?: ArrayBuffer
  /** Goes back, too, or what took its place as it was too small; what is made may lie in it, until the next task. */
  readonly room?: ArrayBuffer
}
