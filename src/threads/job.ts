import { type RouterConfig, route } from '../index.js'

/** What a thread is asked to do: route tokens of `rows` piece by piece until none is left. */
export interface Job {
  /** [T, E], shared by all threads or this thread's own. */
  readonly rows: Float32Array
  /** Of the whole batch, the token that the first row belongs to. */
  readonly from: number
  readonly router: RouterConfig
  readonly bias: Float32Array | undefined
  /** [1] blocks taken so far, by whoever shares the rows. */
  readonly taken: Int32Array
  /** Of the blocks that are left, the share that is taken at once. */
  readonly portion: number
}

/** Tokens from `from` on, routed. */
export interface Part {
  readonly from: number
  readonly experts: Int32Array
  readonly weights: Float32Array
}

/**
 * A job as it is sent: shared memory only if it is not that of the worker's last job. A worker counts what it is sent as its
 * own until it next collects garbage, and would do so after every other batch.
 */
export interface Order extends Omit<Job, 'rows'> {
  /** An own part of the batch, or shared memory that is new. */
  readonly memory?: ArrayBufferLike
  readonly byteOffset: number
  readonly length: number
}

export interface Answer {
  /** None if a piece was refused, which is for the asker to explain: it knows the whole batch. */
  readonly parts?: readonly Part[]
  /** Memory that is not shared goes back, to be filled anew. */
  readonly memory?: ArrayBuffer
}

/**
 * Logits in a block, about as many as the second-level cache holds. Pieces are whole blocks, so that all cuts are
 * multiples of the same number of tokens, whoever takes them.
 */
export const blockLogits = 131_072

const tokensOfBlock = (numExperts: number): number => Math.max(1, Math.floor(blockLogits / numExperts))

export const blocksOf = (tokens: number, numExperts: number): number =>
  Math.ceil(tokens / tokensOfBlock(numExperts))

export const tokensOfBlocks = (blocks: number, numExperts: number): number =>
  blocks * tokensOfBlock(numExperts)

/** A new router spends some tokens on finding its cuts: smaller pieces would do that too often. */
const leastBlocks = 2

/** Takes pieces and routes them. Throws what `route` throws, and leaves nothing to the others then. */
export function work({ rows, from, router, bias, taken, portion }: Job): Part[] {
  const { numExperts } = router
  const tokens = rows.length / numExperts
  const blocks = blocksOf(tokens, numExperts)
  const parts: Part[] = []
  for (;;) {
    const first = Atomics.load(taken, 0)
    if (first >= blocks) return parts
    const next = first + Math.max(leastBlocks, Math.ceil((blocks - first) * portion))
    if (Atomics.compareExchange(taken, 0, first, next) !== first) continue
    const [start, end] = [tokensOfBlocks(first, numExperts), tokensOfBlocks(next, numExperts)]
    try {
      const piece = route(rows.subarray(start * numExperts, end * numExperts), router, bias)
      parts.push({ from: from + start, experts: piece.experts, weights: piece.weights })
    } catch (error) {
      Atomics.store(taken, 0, blocks)
      throw error
    }
  }
}

/** The same as an answer to send, with what goes along and is not copied. */
export function answer(job: Job): { answer: Answer; transfer: ArrayBuffer[] } {
  const memory = job.rows.buffer
  const own = memory instanceof ArrayBuffer ? { memory } : {}
  const transfer = Object.values(own)
  try {
    const parts = work(job)
    const results = parts.flatMap(({ experts, weights }) => [experts.buffer, weights.buffer] as ArrayBuffer[])
    return { answer: { ...own, parts }, transfer: [...transfer, ...results] }
  } catch {
    return { answer: own, transfer }
  }
}
