import { type RouterConfig, type Routing, resolveRouter, route } from '../index.js'
import type { Helper } from './helper.js'
import { type Answer, blockLogits, blocksOf, type Job, type Part, tokensOfBlocks, work } from './job.js'
import { isShared } from './shared-floats.js'

/**
 * A thread more for every so many blocks, of 150 µs each where there are 128 experts: to wake a worker, to find cuts once more
 * and to gather takes 100 to 200 µs, and where its core has other work it takes longer.
 */
const blocksOfThread = 4

/** Routes by this thread and as many helpers as pay. */
export async function routeBy(
  helpers: readonly Helper[],
  logits: Float32Array,
  router: RouterConfig,
  bias: Float32Array | undefined,
): Promise<Routing> {
  const length = logits instanceof Float32Array ? logits.length : 0
  const threads = Math.floor(length / blockLogits / blocksOfThread)
  const asked = helpers.filter((helper) => helper.isAlive()).slice(0, Math.max(0, threads - 1))
  if (asked.length === 0) return route(logits, router, bias)
  const nothing = route(new Float32Array(0), router, bias) // refuses what is no router or bias
  const { numExperts, topK } = nothing
  const tokens = length / numExperts
  if (!Number.isInteger(tokens)) return route(logits, router, bias) // which refuses it
  const settings = { router: resolveRouter(router), bias: bias?.slice() }
  const parts = await (isShared(logits) ? together : apart)(asked, logits, settings)
  // It says which logit is at fault; where a worker has died, it does all of the work.
  if (parts === undefined) return route(logits, router, bias)
  const experts = new Int32Array(tokens * topK)
  const weights = new Float32Array(tokens * topK)
  for (const part of parts) {
    experts.set(part.experts, part.from * topK)
    weights.set(part.weights, part.from * topK)
  }
  return { ...nothing, tokens, experts, weights }
}

type Settings = Pick<Job, 'router' | 'bias'>

/** All take from the same rows, a fair share of what is left each time: whoever is slow, or wakes late, takes less. */
function together(
  helpers: readonly Helper[],
  rows: Float32Array,
  settings: Settings,
): Promise<Part[] | undefined> {
  const taken = new Int32Array(new SharedArrayBuffer(4))
  const job = { ...settings, rows, from: 0, taken, portion: 1 / (helpers.length + 1) }
  const answers = helpers.map((helper) => helper.ask(job))
  return gather(job, answers)
}

/** Each helper gets a copy of tokens of its own; the first ones are for this thread. */
function apart(
  helpers: readonly Helper[],
  logits: Float32Array,
  settings: Settings,
): Promise<Part[] | undefined> {
  const { numExperts } = settings.router
  const blocks = blocksOf(logits.length / numExperts, numExperts)
  const start = (thread: number): number =>
    tokensOfBlocks(Math.floor((thread * blocks) / (helpers.length + 1)), numExperts)
  const part = (thread: number): Float32Array =>
    logits.subarray(start(thread) * numExperts, start(thread + 1) * numExperts)
  const job = (rows: Float32Array, thread: number): Job => ({
    ...settings,
    rows,
    from: start(thread),
    taken: new Int32Array(1),
    portion: 1,
  })
  const answers = helpers.map((helper, i) => {
    const rows = helper.room(part(i + 1).length)
    rows.set(part(i + 1))
    return helper.ask(job(rows, i + 1))
  })
  return gather(job(part(0), 0), answers)
}

/** The work of this thread and the others; undefined if one of them could not do its own. */
async function gather(own: Job, others: readonly Promise<Answer>[]): Promise<Part[] | undefined> {
  let mine: Part[] | undefined
  try {
    mine = work(own)
  } catch {
    // Others may find the same, or something earlier in the batch.
  }
  const theirs = await Promise.all(others)
  const all = [mine, ...theirs.map(({ parts }) => parts)]
  return all.includes(undefined) ? undefined : all.flatMap((parts) => parts ?? [])
}
