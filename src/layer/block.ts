import { dispatchOrder } from '../capacity/dispatch.js'
import { copyRows, type Matrix, type MatrixKernels, padded, panel, wholes } from '../kernels/matrix.js'
import { sigmoid } from '../math.js'
import type { Routing } from '../router/routing.js'
import type { ResolvedLayer } from './config.js'
import type { Packing } from './packing.js'
import type { Part, Parts } from './parts.js'

/** Rows that pass through an expert at a time: with what they become, they stay in the second-level cache. */
const chunk = 64

/** Floats that the areas of a block of tokens may have, about: 64 MB. */
const blockFloats = 1 << 24

/** How many tokens that are. */
export function blockOf({ hiddenSize, router, latentWidth }: ResolvedLayer): number {
  const perToken = (router.topK + 2) * (latentWidth || hiddenSize) + 4 * hiddenSize
  return Math.max(1, Math.floor(blockFloats / perToken))
}

/** A block of tokens on its way. Rows are padded: those of width D or I begin D or I floats apart. */
interface Block {
  readonly layer: ResolvedLayer
  readonly parts: Parts
  readonly routing: Routing
  readonly kernels: MatrixKernels
  matrices(list: readonly Part[]): Matrix[]
  readonly D: number
  readonly I: number
  readonly areas: Areas
}

type Areas = ReturnType<typeof areasOf>

function areasOf(layer: ResolvedLayer, packing: Packing, { tokens, topK, experts }: Routing) {
  const { hiddenSize, latentWidth, expertWidth, sharedWidth, gated } = layer
  const D = padded(hiddenSize)
  const I = padded(latentWidth || hiddenSize)
  const F = padded(Math.max(expertWidth, sharedWidth))
  return packing.kernels.areas({
    ...packing.lengths,
    hidden: tokens * D,
    narrow: latentWidth > 0 ? tokens * I : 0,
    rows: layer.weighInput ? chunk * I : 0,
    up: chunk * F,
    gate: gated ? chunk * F : 0,
    entries: manyZeros(layer) ? 2 * chunk * (F + 1) : 0,
    results: experts.length * I, // of experts, one after another
    mixed: latentWidth > 0 ? tokens * I : 0, // by token, in the latent width
    both: 2 * tokens * D, // what the routed experts add up to, then what the shared one gives
    output: tokens * D,
    rowTokens: experts.length,
    factors: layer.weighInput ? experts.length : 0,
    places: tokens * Math.max(topK, 2),
    weights: tokens * Math.max(topK, 2),
    sharedGates: tokens * panel,
  })
}

/** The output of the layer for a block of tokens [t, D], into `output` [t, D]. */
export function forwardBlock(
  hidden: Float32Array,
  routing: Routing,
  layer: ResolvedLayer,
  parts: Parts,
  packing: Packing,
  output: Float32Array,
): void {
  const { kernels } = packing
  const { hiddenSize, latentWidth } = layer
  const areas = areasOf(layer, packing, routing)
  const matrices = (list: readonly Part[]): Matrix[] => packing.matrices(list, areas.packed, areas.stage)
  const D = padded(hiddenSize)
  const block = { layer, parts, routing, kernels, matrices, D, I: padded(latentWidth || hiddenSize), areas }
  copyRows(hidden, hiddenSize, areas.hidden, D)
  if (latentWidth > 0) {
    kernels.linear(areas.hidden, D, matrices(parts.latentDown)[0], areas.narrow, routing.tokens)
    routedExperts(block, areas.narrow, areas.mixed)
    kernels.linear(areas.mixed, block.I, matrices(parts.latentUp)[0], areas.both, routing.tokens)
  } else routedExperts(block, areas.hidden, areas.both)
  if (parts.shared.length > 0) addShared(block)
  copyRows(parts.shared.length > 0 ? areas.output : areas.both, D, output, hiddenSize)
}

/** Dispatch, experts, combine: rows [t, I] to [t, I]. */
function routedExperts(block: Block, inputs: Float32Array, out: Float32Array): void {
  const { layer, parts, routing, kernels, I, areas } = block
  const { tokens, topK, weights } = routing
  const { slots, offsets } = dispatchOrder(routing)
  const rowTokens = wholes(areas.rowTokens)
  const places = wholes(areas.places).fill(-1)
  slots.forEach((slot, row) => {
    rowTokens[row] = slot / topK
    if (layer.weighInput) areas.factors[row] = weights[slot]
    places[slot] = row
  })
  parts.experts.forEach((list, expert) => {
    const end = offsets[expert + 1]
    if (offsets[expert] === end) return
    const matrices = block.matrices(list)
    for (let first = offsets[expert]; first < end; first += chunk) {
      const taken = rowTokens.subarray(first, Math.min(first + chunk, end))
      const out = areas.results.subarray(first * I)
      if (layer.weighInput) {
        kernels.gather(inputs, taken, areas.factors.subarray(first), areas.rows, I)
        feedForward(block, matrices, areas.rows, I, out, taken.length)
      } else feedForward(block, matrices, inputs, I, out, taken.length, taken)
    }
  })
  if (layer.weighInput) areas.weights.fill(1)
  else areas.weights.set(weights)
  kernels.combine(areas.results, places, areas.weights, out, tokens, topK, I)
}

/** Where an input below 0 makes a hidden unit 0. */
const manyZeros = ({ activation }: ResolvedLayer): boolean => activation === 'relu' || activation === 'relu2'

/** Rows through an expert, at most a chunk of them: those at `places`, or the first ones. */
function feedForward(
  { layer, kernels, areas }: Block,
  [up, down, gate]: readonly Matrix[],
  rows: Float32Array,
  stride: number,
  out: Float32Array,
  count: number,
  places?: Int32Array,
): void {
  const { activation, gated } = layer
  const units = areas.up.subarray(0, count * up.width)
  kernels.linear(rows, stride, up, units, count, places)
  if (gated) kernels.linear(rows, stride, gate, areas.gate, count, places)
  kernels.activate(activation, gated, gated ? areas.gate : units, units)
  if (manyZeros(layer)) kernels.sparse(units, up.width, down, out, count, areas.entries)
  else kernels.linear(units, up.width, down, out, count)
}

/** The routed experts' sums and the shared expert's results, times its gate where it has one, added up into `output`. */
function addShared(block: Block): void {
  const { parts, routing, kernels, D, areas } = block
  const { tokens } = routing
  const matrices = block.matrices(parts.shared)
  for (let first = 0; first < tokens; first += chunk) {
    const rows = areas.hidden.subarray(first * D)
    const out = areas.both.subarray((tokens + first) * D)
    feedForward(block, matrices, rows, D, out, Math.min(chunk, tokens - first))
  }
  const [gate] = block.matrices(parts.sharedGate)
  if (gate) kernels.linear(areas.hidden, D, gate, areas.sharedGates, tokens)
  const places = wholes(areas.places)
  for (let token = 0; token < tokens; token++) {
    places[2 * token] = token
    places[2 * token + 1] = tokens + token
    areas.weights[2 * token] = 1
    areas.weights[2 * token + 1] = gate ? sigmoid(areas.sharedGates[token * panel]) : 1
  }
  kernels.combine(areas.both, places, areas.weights, areas.output, tokens, 2, D)
}
