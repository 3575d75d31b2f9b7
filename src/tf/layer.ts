import type { Tensor2D, Variable } from '@tensorflow/tfjs'
import {
  asRouter,
  type Balance,
  type CheckpointOptions,
  demand,
  type LayerConfig,
  type LayerWeights,
  layerTensors,
  loadOf,
  noBalance,
  type Routing,
  randomWeights,
  readLayerWeights,
  readSafetensors,
  routeAt,
  type StepContext,
  type Streams,
  streams,
  type WeightName,
  weightShapes,
  writeSafetensors,
} from '../index.js'
import { combineWeights, demandKept } from './combine-weights.js'
import { forward, routerLogits } from './forward.js'
import { type HeldLayer, heldLayer, offTape } from './held.js'
import { jittered } from './jitter.js'
import { tensorLoss } from './losses.js'
import { type ApplyOptions, checkOptions, type MoELayerOptions, type MoEResult } from './options.js'
import { Pending } from './pending.js'
import { warnOfHalfFloats } from './precision.js'
import { demandReads } from './reads.js'
import { installed, type Tf } from './tfjs.js'

/**
 * A mixture-of-experts layer that learns: tensors in, tensors out, differentiable by `tf.grads` and `tf.variableGrads` with
 * respect to its input and all its weights. It routes with the core, once, off the tape, so that it chooses what the core
 * chooses; the correction bias is the core's too, moved by `updateBias` and by no gradient. On the cpu and wasm backends a
 * forward pass without gradients is the core's `forwardLayer`, with a packed copy of weights that are used more than once.
 */
export class MoELayer<State = Float32Array> {
  readonly config: LayerConfig
  /** The weights that gradients move, by name; shapes are those of `weightShapes`. */
  readonly variables: { readonly [name in WeightName]?: Variable }
  readonly #tf: Tf
  readonly #options: MoELayerOptions<State>
  readonly #random: Streams
  readonly #balance: Balance<State>
  readonly #pending: Pending
  readonly #held: HeldLayer
  #state: State
  #bias: Float32Array
  #biasFrozen = false
  #step = 0

  constructor(config: LayerConfig, options: MoELayerOptions<State> = {}) {
    checkOptions(options)
    const { tf = installed, seed = 0, index = 0, balance = noBalance as unknown as Balance<State> } = options
    demand(
      config.correctionBias === true || options.balance === undefined,
      'MoELayer: a layer with a balance rule must have a correctionBias',
      config.correctionBias,
      'Set it in the config, or leave the rule out.',
    )
    const weights = randomWeights(config, streams(seed), index)
    const make = options.variable ?? ((_, value) => tf.variable(value))
    const shapes = weightShapes(config)
    this.config = config
    this.variables = Object.fromEntries(
      Object.entries(weights)
        .filter(([name]) => name !== 'correctionBias')
        .map(([name, values]) => [
          name,
          tf.tidy(() => {
            const value = tf.tensor(values, [...shapes[name as WeightName]!])
            return make(name as WeightName, value)
          }),
        ]),
    )
    this.#tf = tf
    this.#held = heldLayer(tf, config, this.variables)
    this.#options = options
    this.#random = streams(seed)
    this.#balance = balance
    this.#pending = new Pending(config.router.numExperts, balance.loadOnly !== true)
    this.#state = balance.init(config.router.numExperts)
    this.#bias = balance.bias(this.#state)
  }

  /** [E] the correction bias that the next batch is routed with. */
  get bias(): Float32Array {
    return this.#bias
  }

  /** What the balance rule keeps: a plain value, to save beside the weights and to hand to `setWeights`. */
  get balanceState(): State {
    return this.#state
  }

  /** Batches seen in training. */
  get steps(): number {
    return this.#step
  }

  /**
   * Tokens [T, D] through the layer. In training, unless told otherwise, there is jitter, and the load counts towards the
   * next `updateBias`. With `experts` [T, K], chosen elsewhere, −1 for an empty slot, nothing is chosen: router replay, see
   * `replayRouter`. Throws an InputError on another width, on logits that are NaN or +∞, with their position, and on
   * experts that do not fit.
   */
  apply(x: Tensor2D, { training = true, experts }: ApplyOptions = {}): MoEResult {
    const tf = this.#tf
    const { hiddenSize, router } = this.config
    demand(
      x.shape.length === 2 && x.shape[1] === hiddenSize,
      `MoELayer: the input must be [tokens, ${hiddenSize}]`,
      `[${x.shape}]`,
      'Reshape it to one row a token.',
    )
    demandReads(tf, 'MoELayer')
    warnOfHalfFloats(tf)
    const { loss, capacity = (all: Routing) => all } = this.#options
    const context = {
      step: this.#step,
      layer: this.#options.index ?? 0,
      tokens: x.shape[0],
      random: this.#random,
    }
    let routing: Routing | undefined
    const tensors = tf.tidy(() => {
      const logits = training ? this.#noisyLogits(x, context) : routerLogits(tf, x, this.variables)
      const batch = { tokens: x.shape[0], logits: logits.dataSync() as Float32Array }
      const free = experts
        ? routeAt(batch.logits, experts, router)
        : asRouter(router)(batch, this.#bias, context)
      const kept = capacity(free, context)
      demandKept(free, kept)
      routing = kept
      const output = offTape(tf)
        ? this.#held.forward(x, kept)
        : forward(tf, x, kept, combineWeights(tf, logits, free, kept, router), this.variables, this.config)
      const auxLoss = loss ? tensorLoss((values) => loss(values, kept), tf)(logits) : tf.scalar(0)
      return { output, logits, auxLoss }
    })
    const load = loadOf(routing!)
    if (training) {
      this.#pending.add(routing!, load)
      this.#step++
    }
    return { ...tensors, routing: routing!, load }
  }

  #noisyLogits(x: Tensor2D, context: StepContext): Tensor2D {
    const { inputJitter = 0, outputJitter = 0 } = this.#options
    const random: Streams = (name, ...place) => context.random(`output ${name}`, ...place)
    const read = jittered(this.#tf, x, inputJitter, context)
    const logits = routerLogits(this.#tf, read, this.variables)
    return jittered(this.#tf, logits, outputJitter, { ...context, random })
  }

  /**
   * Moves the correction bias by the load of all batches since the last update; to call after the optimizer's step. Several
   * micro-batches before it make one update. A frozen bias stays; the load is forgotten all the same.
   */
  updateBias(): void {
    const { load, seen } = this.#pending.take()
    if (this.#biasFrozen) return
    this.#state = this.#balance.update(this.#state, load, seen)
    this.#bias = this.#balance.bias(this.#state)
  }

  /** Keeps weights from learning: gradients pass through them and do not move them. 'correctionBias' stops `updateBias`. */
  freeze(...names: WeightName[]): void {
    this.#setTrainable(names, false)
  }

  /** Lets them learn again. */
  thaw(...names: WeightName[]): void {
    this.#setTrainable(names, true)
  }

  #setTrainable(names: readonly WeightName[], trainable: boolean): void {
    const shapes = weightShapes(this.config)
    for (const name of names) {
      demand(
        name in shapes,
        `MoELayer: the layer must have the weight to freeze or thaw, one of ${Object.keys(shapes).join(', ')}`,
        name,
        'Name one of these.',
      )
      const variable = this.variables[name]
      if (variable) variable.trainable = trainable
      else this.#biasFrozen = !trainable
    }
  }

  /** A copy of all weights, the correction bias among them, as the core's `forwardLayer` takes them. */
  weights(): LayerWeights {
    const learned = Object.entries(this.variables).map(([name, variable]) => [
      name,
      variable.dataSync().slice(),
    ])
    const bias = this.config.correctionBias && { correctionBias: this.#bias.slice() }
    return { ...Object.fromEntries(learned), ...bias }
  }

  /**
   * Takes these weights. With a balance rule, `state` is what the rule goes on from, and its bias the layer's: a trained
   * bias goes on under `biasBalance` from `{ bias: weights.correctionBias, updates: 0 }`.
   */
  setWeights(weights: LayerWeights, state?: State): void {
    layerTensors(weights, this.config) // refuses what does not fit before anything has changed
    const { correctionBias } = weights
    if (correctionBias) {
      const next = state ?? this.#balance.init(correctionBias.length)
      const ruled = this.#options.balance ? this.#balance.bias(next) : correctionBias
      demand(
        ruled.every((value, e) => value === correctionBias[e]),
        'MoELayer: the state of the balance rule must give the correction bias of the weights',
        state,
        'Pass the state saved with them, or for biasBalance { bias: weights.correctionBias, updates: 0 }.',
      )
      this.#state = next
      this.#bias = correctionBias.slice()
    }
    for (const [name, variable] of Object.entries(this.variables)) {
      this.#tf.tidy(() => variable.assign(this.#tf.tensor(weights[name as WeightName]!, variable.shape)))
    }
  }

  /** Takes the weights of one layer of a safetensors file with Hugging Face's names: see `readLayerWeights`. */
  load(file: Uint8Array, options: CheckpointOptions & { readonly state?: State } = {}): void {
    const { state, ...names } = options
    this.setWeights(readLayerWeights(readSafetensors(file), this.config, names), state)
  }

  /** The weights as a safetensors file with Hugging Face's names, in float32. */
  save(options: CheckpointOptions = {}): Uint8Array {
    return writeSafetensors(layerTensors(this.weights(), this.config, options))
  }

  /** Frees the variables. */
  dispose(): void {
    this.#held.release()
    for (const variable of Object.values(this.variables)) variable.dispose()
  }
}
