import {
  demand,
  type LayerConfig,
  type LayerWeights,
  prepareLayer,
  type Routing,
  resolveRouter,
  weightShapes,
} from '../index.js'
import { forwardBy, type HeldLayer } from './forward-by.js'
import { type Helper, living } from './helper.js'
import { isShared } from './shared-floats.js'

/** A layer that several threads have prepared. */
export interface ThreadedLayer {
  /**
   * The output [T, D] of `prepareLayer`'s function, to the byte, for every number of workers: each thread takes tokens of its
   * own, and routes them where no routing is given. Leave the hidden states [T, D] and the routing alone until it is there;
   * calls that overlap are answered in turn, those of `route` and of other layers among them. Hidden states from
   * `sharedFloats` are not copied. Batches too small to gain by it are computed by this thread alone, and so is one whose
   * worker dies. Rejects with the error that `prepareLayer`'s function throws, or after `close`.
   */
  forward(hidden: Float32Array, routing?: Routing): Promise<Float32Array>
  /** The workers let go of their copies of the weights, once what was asked is answered. */
  close(): Promise<void>
}

/** Does something once what was asked before is answered. Rejects in the name of it if the threads are closed. */
export type InTurn = <T>(name: string, act: () => Promise<T>) => Promise<T>

export async function openLayer(
  inTurn: InTurn,
  helpers: readonly Helper[],
  layer: number,
  weights: LayerWeights,
  config: LayerConfig,
): Promise<ThreadedLayer> {
  const held = await inTurn('prepareLayer', () => hold(helpers, layer, weights, config))
  let closed: Promise<void> | undefined
  return {
    async forward(hidden, routing) {
      demand(closed === undefined, 'forward: the layer must be open', 'a closed one', 'Prepare it again.')
      return inTurn('forward', () => forwardBy(held, hidden, routing))
    },
    close() {
      closed ??= inTurn('close', () => release(held)).catch(() => {}) // closed threads hold nothing
      return closed
    },
  }
}

const noRows = new Float32Array(0)

/** Prepares a layer by this thread, which refuses what is none, and by all helpers that have room for it. */
async function hold(
  helpers: readonly Helper[],
  layer: number,
  weights: LayerWeights,
  config: LayerConfig,
): Promise<HeldLayer> {
  const own = prepareLayer(weights, config)
  const asked = living(helpers)
  // The worker gets plain settings, with all that they inherit. Whoever has no room for copies does without the helper.
  const settings = { ...config, router: resolveRouter(config.router) }
  const answers = await Promise.allSettled(
    asked.map(async (helper) => {
      const copies = Object.entries(weights).map(
        ([name, values]) => [name, isShared(values) ? values : values.slice()] as const,
      )
      const transfer = copies.flatMap(([, { buffer }]) => (buffer instanceof ArrayBuffer ? [buffer] : []))
      const task = { layer, weights: Object.fromEntries(copies), config: settings }
      return (await helper.ask('prepare', noRows, task, transfer)).made
    }),
  )
  return {
    own,
    helpers: asked.filter((_, i) => answers[i]?.status === 'fulfilled' && answers[i].value),
    layer,
    hiddenSize: config.hiddenSize,
    workOfToken: workOfToken(config),
  }
}

/** Multiply-adds of a token: each matrix, and of the experts' matrices those of the experts that it goes to. */
function workOfToken(config: LayerConfig): number {
  const { numExperts, topK } = config.router
  const works = Object.values(weightShapes(config)).map((shape) => {
    const size = shape.reduce((product, length) => product * length, 1)
    return shape.length === 3 ? (size / numExperts) * topK : size
  })
  return works.reduce((sum, work) => sum + work, 0)
}

async function release({ helpers, layer }: HeldLayer): Promise<void> {
  await Promise.all(living(helpers).map((helper) => helper.ask('release', noRows, { layer })))
}
