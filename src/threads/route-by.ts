import { type RouterConfig, type Routing, resolveRouter, route } from '../index.js'
import { allDone } from './all-done.js'
import { type Helper, living } from './helper.js'
import type { Answer, Part, RouteTask } from './kinds.js'
import { blocksOf, type RouteWork, tokensOfBlock } from './route-work.js'
import { isShared } from './shared-floats.js'

/**
 * A thread more for every so many logits, which take half a millisecond: to wake a worker and to gather takes 100 µs, and
 * where its core has other work it takes longer.
 */
const logitsOfThread = 524_288

/** The last blocks, which this thread routes while answers are on their way: of few blocks, none are as good. */
const mostLeft = 2
const leftOf = (blocks: number): number => Math.min(mostLeft, Math.floor(blocks / 32))

/** Routes by this thread, whose own share `work` does, and as many helpers as pay. */
export async function routeBy(
  work: RouteWork,
  helpers: readonly Helper[],
  logits: Float32Array,
  router: RouterConfig,
  bias: Float32Array | undefined,
): Promise<Routing> {
  const length = logits instanceof Float32Array ? logits.length : 0
  const threads = Math.floor(length / logitsOfThread)
  const asked = living(helpers, threads - 1)
  const fits = bias === undefined || bias instanceof Float32Array
  if (asked.length === 0 || !fits) return route(logits, router, bias) // which refuses what does not fit
  const resolved = resolveRouter(router)
  const { numExperts, topK } = resolved
  const tokens = length / numExperts
  if (!Number.isInteger(tokens)) return route(logits, router, bias)
  const settings = { router: resolved, bias: bias?.slice() } // of a view, all that it looks at would be sent
  const { own, answers } = (isShared(logits) ? together : apart)(asked, logits, settings)
  let [experts, weights] = [new Int32Array(0), new Float32Array(0)]
  const room = (from: number, some: number): Part => {
    const [start, end] = [from * topK, (from + some) * topK]
    return { from, experts: experts.subarray(start, end), weights: weights.subarray(start, end) }
  }
  const ownShare = (): void => {
    experts = new Int32Array(tokens * topK)
    weights = new Float32Array(tokens * topK)
    work(...own, room)
  }
  const done = await allDone(ownShare, answers, (parts) => {
    for (const part of parts) {
      experts.set(part.experts, part.from * topK)
      weights.set(part.weights, part.from * topK)
    }
  })
  return done ? { tokens, topK, numExperts, experts, weights, dropped: 0 } : route(logits, router, bias)
}

type Settings = Pick<RouteTask, 'router' | 'bias'>

/** What is left to this thread, and what was asked of the others. */
interface Shares {
  readonly own: [rows: Float32Array, task: RouteTask]
  readonly answers: readonly Promise<Answer<'route'>>[]
}

/** All take blocks of the same rows, one after another: whoever is slow, or wakes late, takes less. */
function together(helpers: readonly Helper[], rows: Float32Array, settings: Settings): Shares {
  const taken = new Int32Array(new SharedArrayBuffer(4))
  const task = { ...settings, from: 0, taken, threads: helpers.length + 1, left: 0 }
  const asked = { ...task, left: leftOf(blocksOf(rows, settings.router)) }
  return { own: [rows, task], answers: helpers.map((helper) => helper.ask('route', rows, asked)) }
}

/** Each helper gets a copy of tokens of its own; the first ones are for this thread. */
function apart(helpers: readonly Helper[], logits: Float32Array, settings: Settings): Shares {
  const { numExperts } = settings.router
  const most = tokensOfBlock(settings.router)
  const blocks = blocksOf(logits, settings.router)
  const start = (thread: number): number => Math.floor((thread * blocks) / (helpers.length + 1)) * most
  const share = (thread: number): [Float32Array, RouteTask] => [
    logits.subarray(start(thread) * numExperts, start(thread + 1) * numExperts),
    { ...settings, from: start(thread), taken: new Int32Array(1), threads: 1, left: 0 },
  ]
  return { own: share(0), answers: helpers.map((helper, i) => helper.ask('route', ...share(i + 1))) }
}
