import {
  demand,
  demandNothingElse,
  demandWhole,
  type LayerConfig,
  type LayerWeights,
  type RouterConfig,
  type Routing,
} from '../index.js'
import { type Helper, living, startHelper } from './helper.js'
import { availableThreads } from './node-threads.js'
import { routeBy } from './route-by.js'
import { newRouteWork } from './route-work.js'
import { openLayer, type ThreadedLayer } from './threaded-layer.js'

export interface ThreadsOptions {
  /** How many work at a time, this thread among them: 2 starts one worker. As many as the machine has cores unless given. */
  readonly workers?: number
}

export interface Threads {
  /** How many work at a time, this thread among them. */
  readonly workers: number
  /**
   * The routing of `route`, to the byte, for every number of workers. Leave the logits alone until it is there; calls
   * that overlap are answered in turn. Logits from `sharedFloats` are not copied to the workers. Batches too small to gain
   * by it are routed by this thread alone, and so is one whose worker dies. Rejects with the InputError that `route`
   * throws, or after `close`.
   */
  route(logits: Float32Array, router: RouterConfig, bias?: Float32Array): Promise<Routing>
  /**
   * Prepares a layer as `prepareLayer` does, in the memory of every thread: that many copies of its weights. Leave them
   * alone until it is there, and above 2 GB for as long as it is used. Rejects with the InputError that `prepareLayer` throws,
   * or after `close`.
   */
  prepareLayer(weights: LayerWeights, config: LayerConfig): Promise<ThreadedLayer>
  /** Ends the workers, once what was asked is answered. */
  close(): Promise<void>
}

/**
 * Opens threads: workers of Node or of a page, which start at once (tens of milliseconds) and stay until `close`. Node
 * does not wait for workers that are idle: whoever forgets to close does not hang.
 *
 * Throws an InputError on a number of workers that is none, and where a worker does not start.
 */
export async function openThreads(options: ThreadsOptions = {}): Promise<Threads> {
  const { workers = availableThreads(), ...rest } = options
  demandNothingElse('openThreads: the options', rest)
  demandWhole('openThreads: workers', workers, 1, 1024, 'This thread is one of them: 2 is twice as fast.')
  const starting = await Promise.allSettled(Array.from({ length: workers - 1 }, startHelper))
  const started = starting.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []))
  const failed = starting.find((each) => each.status === 'rejected')
  if (failed) {
    await endAll(started)
    throw failed.reason
  }
  return threadsOf(started)
}

const endAll = (helpers: readonly Helper[]): Promise<unknown> =>
  Promise.all(helpers.map((helper) => helper.close()))

function threadsOf(helpers: readonly Helper[]): Threads {
  const work = newRouteWork()
  let last: Promise<unknown> = Promise.resolve()
  let closed: Promise<void> | undefined
  let layers = 0
  const inTurn = async <T>(name: string, act: () => Promise<T>): Promise<T> => {
    demand(
      closed === undefined,
      `${name}: the threads must be open`,
      'closed ones',
      'Call openThreads again.',
    )
    const turn = last.then(act)
    last = turn.catch(() => {})
    return turn
  }
  return {
    get workers() {
      return 1 + living(helpers).length
    },
    route: (logits, router, bias) => inTurn('route', () => routeBy(work, helpers, logits, router, bias)),
    prepareLayer: (weights, config) => openLayer(inTurn, helpers, layers++, weights, config),
    close() {
      closed ??= last.then(() => endAll(helpers)).then(() => {})
      return closed
    },
  }
}
