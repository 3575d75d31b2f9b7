import type { Scalar, Tensor, Tensor2D, Variable } from '@tensorflow/tfjs'
import {
  type Balance,
  type CapacityPolicy,
  demandNothingElse,
  jitter,
  type Loss,
  type Routing,
  type WeightName,
} from '../index.js'
import type { Tf } from './tfjs.js'

export interface MoELayerOptions<State> {
  /** Of the first weights and of all noise; 0 unless given. */
  readonly seed?: string | number
  /**
   * Your own tfjs object; the installed one unless given. The backend is whatever is set there: cpu, wasm, webgl, webgpu, or
   * another that gives values at once, by `dataSync`; one that does not is refused at the first batch.
   */
  readonly tf?: Tf
  /** Which layer of a model this is, 0 unless given: layers of one seed have weights and noise of their own. */
  readonly index?: number
  /** The rule that moves the correction bias, at `updateBias`; the bias stays as it is unless given. */
  readonly balance?: Balance<State>
  /** The auxiliary loss of a batch, from its router logits [T, E] and its routing; several by `addLosses`. */
  readonly loss?: (logits: Float32Array, routing: Routing) => Loss<Float32Array>
  /** What the experts take of a routing; everything unless given. It must leave the weights that it keeps as they are. */
  readonly capacity?: CapacityPolicy
  /** ε: in training, what the router reads is multiplied by draws of U[1 − ε, 1 + ε]. */
  readonly inputJitter?: number
  /** ε: the same of the router's output, its logits. */
  readonly outputJitter?: number
  /** Makes a trainable weight a variable; for wrappers that keep the variables of several layers. */
  readonly variable?: (name: WeightName, value: Tensor) => Variable
}

/** Refuses what is none of them, and jitter out of range: now, not in the first step. */
export function checkOptions<State>(options: MoELayerOptions<State>): void {
  const { tf, seed, index, balance, loss, capacity, inputJitter, outputJitter, variable, ...rest } = options
  demandNothingElse('MoELayer: the options', rest)
  for (const epsilon of [inputJitter, outputJitter]) if (epsilon !== undefined) jitter(epsilon)
}

export interface ApplyOptions {
  /** With jitter, and the load counted for the next bias; true unless given. */
  readonly training?: boolean
  /** [T, K] the experts of each token, chosen elsewhere; their weights are of this layer's logits, which learn by them. */
  readonly experts?: Int32Array
}

/** What a layer makes of a batch. */
export interface MoEResult {
  /** [T, D] */
  readonly output: Tensor2D
  /** [T, E], for losses of your own. */
  readonly logits: Tensor2D
  /** After the capacity, where there is one. */
  readonly routing: Routing
  /** [E] tokens per expert. */
  readonly load: Int32Array
  /** 0 without a loss. Add it to the loss that you minimise. */
  readonly auxLoss: Scalar
}
