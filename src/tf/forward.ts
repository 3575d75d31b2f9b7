import type { Tensor, Tensor2D, Tensor3D } from '@tensorflow/tfjs'
import { dispatchOrder, type LayerConfig, type Routing, type WeightName } from '../index.js'
import { combine } from './combine.js'
import { zerosOf } from './gradient.js'
import { dense, groupedAdd, groupedMatMul } from './grouped.js'
import { takeRows } from './rows.js'
import type { Tf } from './tfjs.js'
import { units } from './units.js'

/** The weights of a layer as tensors of `weightShapes`. */
export type Tensors = { readonly [name in WeightName]?: Tensor }

/** Router logits [T, E]. */
export function routerLogits(tf: Tf, x: Tensor2D, { router, routerBias }: Tensors): Tensor2D {
  const inputs = [x, router!, ...(routerBias ? [routerBias] : [])]
  if (x.shape[0] === 0) return zerosOf(tf, [0, router!.shape[0]], inputs)
  const logits = dense(tf, x, router as Tensor2D)
  return routerBias ? tf.add(logits, routerBias) : logits
}

/** The layer's output [T, D] for a routing and its combine weights [T, K]; the core's `forwardLayer` on tensors. */
export function forward(
  tf: Tf,
  x: Tensor2D,
  routing: Routing,
  weights: Tensor2D,
  tensors: Tensors,
  config: LayerConfig,
): Tensor2D {
  if (x.shape[0] === 0) return zerosOf(tf, x.shape, [x, weights, ...Object.values(tensors)])
  const narrow = tensors.latentDown ? dense(tf, x, tensors.latentDown as Tensor2D) : x
  const routed = routedExperts(tf, narrow, routing, weights, tensors, config)
  const wide = tensors.latentUp ? dense(tf, routed, tensors.latentUp as Tensor2D) : routed
  if (!tensors.sharedUpProj) return wide
  const matrices = {
    gate: tensors.sharedGateProj,
    up: tensors.sharedUpProj,
    down: tensors.sharedDownProj,
  }
  const project: Project = (rows, weight) => dense(tf, rows, weight as Tensor2D)
  const shared = feedForward(tf, x, matrices, project, config)
  if (!tensors.sharedExpertGate) return tf.add(wide, shared)
  const gate = tf.expandDims(tensors.sharedExpertGate, 0) as Tensor2D
  return tf.add(wide, tf.mul(shared, tf.sigmoid(dense(tf, x, gate))))
}

/** Dispatch, experts, combine: [T, I] to [T, I]. */
function routedExperts(
  tf: Tf,
  x: Tensor2D,
  routing: Routing,
  weights: Tensor2D,
  tensors: Tensors,
  config: LayerConfig,
): Tensor2D {
  const [tokens] = x.shape
  const { topK } = routing
  const { slots, offsets } = dispatchOrder(routing)
  if (slots.length === 0) return zerosOf(tf, x.shape, [x, weights, ...expertTensors(tensors)])
  const rowOf = new Int32Array(tokens * topK).fill(-1)
  slots.forEach((slot, row) => {
    rowOf[slot] = row
  })
  const tokenOf = slots.map((slot) => Math.floor(slot / topK))
  const rows = takeRows(tf, x, tokenOf, rowOf, topK)
  const bySlot = tf.reshape(weights, [-1, 1]) as Tensor2D
  const inputs = config.weighInput ? tf.mul(rows, takeRows(tf, bySlot, slots, rowOf, 1)) : rows
  const matrices = {
    gate: tensors.gateProj,
    up: tensors.upProj,
    down: tensors.downProj,
    gateBias: tensors.gateProjBias,
    upBias: tensors.upProjBias,
    downBias: tensors.downProjBias,
  }
  const project: Project = (rows, weight, bias) => {
    const product = groupedMatMul(tf, rows, weight as Tensor3D, offsets)
    return bias ? groupedAdd(tf, product, bias as Tensor2D, offsets) : product
  }
  const results = feedForward(tf, inputs as Tensor2D, matrices, project, config)
  return combine(tf, results, config.weighInput ? tf.onesLike(weights) : weights, slots, rowOf)
}

/** The weights of the routed experts. */
const expertTensors = ({
  gateProj,
  upProj,
  downProj,
  gateProjBias,
  upProjBias,
  downProjBias,
}: Tensors): Tensor[] =>
  [gateProj, upProj, downProj, gateProjBias, upProjBias, downProjBias].flatMap((tensor) => tensor ?? [])

interface Matrices {
  readonly gate: Tensor | undefined
  readonly up: Tensor | undefined
  readonly down: Tensor | undefined
  readonly gateBias?: Tensor | undefined
  readonly upBias?: Tensor | undefined
  readonly downBias?: Tensor | undefined
}

/** Rows through the weight, and bias, that they belong to. */
type Project = (rows: Tensor2D, weight: Tensor, bias: Tensor | undefined) => Tensor2D

/** Rows [N, I] through their expert, to [N, I]. */
function feedForward(
  tf: Tf,
  rows: Tensor2D,
  expert: Matrices,
  project: Project,
  config: LayerConfig,
): Tensor2D {
  const up = project(rows, expert.up!, expert.upBias)
  const gate = expert.gate ? project(rows, expert.gate, expert.gateBias) : up
  const hidden = units(tf, config.activation, config.gated, gate, up)
  return project(hidden, expert.down!, expert.downBias)
}
