import type { LayerForward, Routing } from '../index.js'
import { allDone } from './all-done.js'
import { type Helper, living } from './helper.js'

/** A layer that this thread and helpers have prepared. */
export interface HeldLayer {
  readonly own: LayerForward
  readonly helpers: readonly Helper[]
  /** By which the helpers know it. */
  readonly layer: number
  readonly hiddenSize: number
  /** Multiply-adds that a token takes. */
  readonly workOfToken: number
}

/**
 * A thread more for every so many multiply-adds, which take a millisecond to two: to wake a worker and to gather takes 200 µs.
 * Where experts get few tokens each, to read their weights takes longest, which every thread does, and two gain a tenth at first.
 */
const workOfThread = 25_000_000

/**
 * The output of the layer, by this thread and as many helpers as pay, each with tokens that follow one another: the weights of
 * an expert pass once through each of them.
 */
export async function forwardBy(
  { own, helpers, layer, hiddenSize, workOfToken }: HeldLayer,
  hidden: Float32Array,
  routing: Routing | undefined,
): Promise<Float32Array> {
  const tokens = hidden instanceof Float32Array ? hidden.length / hiddenSize : 0
  const wanted = Math.min(tokens, Math.floor((tokens * workOfToken) / workOfThread))
  const asked = living(helpers, wanted - 1)
  const fits = Number.isInteger(tokens) && (routing === undefined || routing.tokens === tokens)
  if (asked.length === 0 || !fits) return own(hidden, routing) // which refuses what does not fit
  const start = (thread: number): number => Math.floor((thread * tokens) / (asked.length + 1))
  const partOf = <A extends Float32Array | Int32Array>(all: A, width: number, thread: number): A =>
    all.subarray(start(thread) * width, start(thread + 1) * width) as A
  const routingOf = (thread: number): Routing | undefined => {
    if (routing === undefined) return undefined
    // Not spread: that would read the scores, which are made only when they are read.
    const { topK, numExperts, dropped } = routing
    return {
      tokens: start(thread + 1) - start(thread),
      topK,
      numExperts,
      dropped,
      experts: partOf(routing.experts, topK, thread).slice(), // of a view, all that it looks at would be sent
      weights: partOf(routing.weights, topK, thread).slice(),
    }
  }
  const output = new Float32Array(hidden.length)
  const answers = asked.map((helper, i) =>
    helper.ask('forward', partOf(hidden, hiddenSize, i + 1), { layer, routing: routingOf(i + 1) }),
  )
  const done = await allDone(
    () => output.set(own(partOf(hidden, hiddenSize, 0), routingOf(0))),
    answers,
    (made, i) => output.set(made, start(i + 1) * hiddenSize),
  )
  return done ? output : own(hidden, routing)
}
