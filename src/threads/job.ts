import { type PreparedRoute, prepareRoute, type RouterConfig } from '../index.js'

/** What a thread is asked to do: route tokens of `rows` block by block until none is left. */
export interface Job {
  /** [T, E], shared by all threads or this thread's own. */
  readonly rows: Float32Array
  /** Of the whole batch, the token that the first row belongs to. */
  readonly from: number
  readonly router: RouterConfig
  readonly bias: Float32Array | undefined
  /** [1] blocks taken so far, by whoever shares the rows. */
  readonly taken: Int32Array
  /** How many share them. */
  readonly threads: number
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
  /** None if a block was refused, which is for the asker to explain: it knows the whole batch. */
  readonly parts?: readonly Part[]
  /** Memory that is not shared goes back, to be filled anew. */
  readonly memory?: ArrayBuffer
}

/** Floats that the second-level cache holds, as the kernel has it: logits, and the experts and weights they become. */
const cachedFloats = 131_072

/** Tokens in a block: all cuts are multiples of it, whoever takes them. */
export const tokensOfBlock = ({ numExperts, topK }: RouterConfig): number =>
  Math.max(1, Math.floor(cachedFloats / (numExperts + 2 * topK)))

/** Blocks taken at once, unless few are left: fewer parts to gather. */
const blocksAtOnce = 2

/** Does a job, putting what it has routed where `room` says. Throws what `route` throws, and leaves nothing to the others then. */
export type Work = (job: Job, room: (from: number, tokens: number) => Part) => Part[]

/**
 * Keeps its router from job to job while the settings stay: where it has learnt to cut fits the next batch, too, and where it
 * does not, that costs time alone.
 */
export function newWork(): Work {
  let settings = ''
  let kept: PreparedRoute
  const keep = (router: RouterConfig): PreparedRoute => {
    const next = JSON.stringify(router)
    if (next !== settings) kept = prepareRoute(router, blocksAtOnce * tokensOfBlock(router))
    settings = next
    return kept
  }
  return ({ rows, from, router, bias, taken, threads }, room) => {
    const { numExperts } = router
    const most = tokensOfBlock(router)
    const tokens = rows.length / numExperts
    const blocks = Math.ceil(tokens / most)
    const parts: Part[] = []
    try {
      const { logits, route } = keep(router)
      for (;;) {
        const block = Atomics.load(taken, 0)
        if (block >= blocks) return parts
        const next = block + Math.max(1, Math.min(blocksAtOnce, Math.floor((blocks - block) / threads)))
        if (Atomics.compareExchange(taken, 0, block, next) !== block) continue
        const [first, end] = [block * most, Math.min(next * most, tokens)]
        logits.set(rows.subarray(first * numExperts, end * numExperts))
        const routed = route(bias, end - first)
        const part = room(from + first, end - first)
        part.experts.set(routed.experts)
        part.weights.set(routed.weights)
        parts.push(part)
      }
    } catch (error) {
      Atomics.store(taken, 0, blocks)
      throw error
    }
  }
}

/** The same as an answer to send, with what goes along and is not copied. */
export function answer(work: Work, job: Job): { answer: Answer; transfer: ArrayBuffer[] } {
  const memory = job.rows.buffer
  const own = memory instanceof ArrayBuffer ? { memory } : {}
  const transfer = Object.values(own)
  const { topK } = job.router
  const room = (from: number, tokens: number): Part => ({
    from,
    experts: new Int32Array(tokens * topK),
    weights: new Float32Array(tokens * topK),
  })
  try {
    const parts = work(job, room)
    const results = parts.flatMap(({ experts, weights }) => [experts.buffer, weights.buffer] as ArrayBuffer[])
    return { answer: { ...own, parts }, transfer: [...transfer, ...results] }
  } catch {
    return { answer: own, transfer }
  }
}
