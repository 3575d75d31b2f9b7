import { type PreparedRoute, prepareRoute, type RouterConfig } from '../index.js'
import type { Part, RouteTask, Works } from './kinds.js'

/** Floats that the second-level cache holds, as the kernel has it: logits, and the experts and weights they become. */
const cachedFloats = 131_072

/** Tokens in a block: all cuts are multiples of it, whoever takes them. */
export const tokensOfBlock = ({ numExperts, topK }: RouterConfig): number =>
  Math.max(1, Math.floor(cachedFloats / (numExperts + 2 * topK)))

export const blocksOf = ({ length }: Float32Array, router: RouterConfig): number =>
  Math.ceil(length / router.numExperts / tokensOfBlock(router))

/** Blocks taken at once, unless few are left: fewer parts to gather. */
const blocksAtOnce = 2

/** Does a task, putting what it has routed where `room` says. Throws what `route` throws, and leaves nothing to the others then. */
export type RouteWork = (
  rows: Float32Array,
  task: RouteTask,
  room: (from: number, tokens: number) => Part,
) => Part[]

/**
 * Keeps its router from task to task while the settings stay: where it has learnt to cut fits the next batch, too, and where
 * it does not, that costs time alone.
 */
export function newRouteWork(): RouteWork {
  let settings = ''
  let kept: PreparedRoute
  const keep = (router: RouterConfig): PreparedRoute => {
    const next = JSON.stringify(router)
    if (next !== settings) kept = prepareRoute(router, blocksAtOnce * tokensOfBlock(router))
    settings = next
    return kept
  }
  return (rows, { from, router, bias, taken, threads, left }, room) => {
    const { numExperts } = router
    const most = tokensOfBlock(router)
    const tokens = rows.length / numExperts
    const blocks = blocksOf(rows, router)
    const parts: Part[] = []
    try {
      const { logits, route } = keep(router)
      for (;;) {
        const block = Atomics.load(taken, 0)
        if (block >= blocks - left) return parts
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

/** The same as a worker does it: in room for all rows, of which it fills what it takes. */
export function routeWorks(): Works<'route'> {
  const work = newRouteWork()
  return {
    route(rows, task, room) {
      const { numExperts, topK } = task.router
      const slots = (rows.length / numExperts) * topK
      const memory = room(8 * slots)
      const experts = new Int32Array(memory, 0, slots)
      const weights = new Float32Array(memory, 4 * slots, slots)
      const parts = work(rows, task, (from, tokens) => {
        const [start, end] = [(from - task.from) * topK, (from - task.from + tokens) * topK]
        return { from, experts: experts.subarray(start, end), weights: weights.subarray(start, end) }
      })
      return [parts, []]
    },
  }
}
