import { type LayerConfig, type ResolvedLayer, resolveLayer } from './config.js'
import type { WeightName } from './weights.js'

/**
 * How a checkpoint stores routed experts. Each of its own: `perExpert`, `experts.3.up_proj.weight` [F, I], or `w123` with
 * Mixtral's names. All in one: `fused`, `experts.up_proj` [E, F, I], where gated `experts.gate_up_proj` [E, 2F, I], gate
 * first; `fusedTransposed` the same as [E, I, 2F] (Llama 4); `interleaved` with gate and up in turn (gpt-oss).
 */
export type ExpertLayout = 'perExpert' | 'w123' | 'fused' | 'fusedTransposed' | 'interleaved'

/** Hugging Face's names for the weights of a layer, behind a prefix such as 'backbone.layers.1.mixer.'. */
export interface WeightLayout {
  readonly experts: ExpertLayout
  /** `<router>.weight`, and `.bias`. */
  readonly router: string
  /** The full name. */
  readonly correctionBias: string
  /** `<shared>.up_proj.weight`. */
  readonly shared: string
}

/** DeepSeek's layout, and what another family does otherwise. */
const layout = (changes: Partial<WeightLayout> = {}): WeightLayout => ({
  experts: 'perExpert',
  router: 'gate',
  correctionBias: 'gate.e_score_correction_bias',
  shared: 'shared_experts',
  ...changes,
})

/** Layouts by model family, of the files that Hugging Face hosts; transformers 5 holds most as `fused` in memory. */
export const weightLayouts: Readonly<
  Record<'nemotronH' | 'deepseekV3' | 'qwen2Moe' | 'mixtral' | 'llama4' | 'gptOss', WeightLayout>
> = {
  nemotronH: /* @__PURE__ */ layout(),
  deepseekV3: /* @__PURE__ */ layout(),
  qwen2Moe: /* @__PURE__ */ layout({ shared: 'shared_expert' }),
  mixtral: /* @__PURE__ */ layout({ experts: 'w123' }),
  llama4: /* @__PURE__ */ layout({ experts: 'fusedTransposed', router: 'router', shared: 'shared_expert' }),
  gptOss: /* @__PURE__ */ layout({ experts: 'interleaved', router: 'router' }),
}

/** A matrix of one weight inside a stored tensor: its element (row, column) stands at start + row · down + column · along. */
export interface Piece {
  readonly weight: WeightName
  /** Where the matrix begins in the weight, row-major from there. */
  readonly at: number
  readonly rows: number
  readonly columns: number
  readonly start: number
  readonly down: number
  readonly along: number
}

export interface StoredTensor {
  readonly name: string
  readonly shape: readonly number[]
  readonly pieces: readonly Piece[]
}

/** Every tensor that a checkpoint stores of such a layer, with where each weight stands in it. */
export function storedTensors(config: LayerConfig, layout: WeightLayout): StoredTensor[] {
  const layer = resolveLayer(config)
  const { hiddenSize: D, sharedWidth: S, latentWidth: L } = layer
  const E = layer.router.numExperts
  const { router, shared } = layout
  return [
    plain(`${router}.weight`, [E, D], 'router'),
    ...(layer.routerBias ? [plain(`${router}.bias`, [E], 'routerBias')] : []),
    ...(layer.correctionBias ? [plain(layout.correctionBias, [E], 'correctionBias')] : []),
    ...expertTensors(layer, layout.experts),
    ...(S > 0 && layer.gated ? [plain(`${shared}.gate_proj.weight`, [S, D], 'sharedGateProj')] : []),
    ...(S > 0 ? [plain(`${shared}.up_proj.weight`, [S, D], 'sharedUpProj')] : []),
    ...(S > 0 ? [plain(`${shared}.down_proj.weight`, [D, S], 'sharedDownProj')] : []),
    ...(layer.sharedGate ? [plain('shared_expert_gate.weight', [1, D], 'sharedExpertGate')] : []),
    ...(L > 0 ? [plain('fc1_latent_proj.weight', [L, D], 'latentDown')] : []),
    ...(L > 0 ? [plain('fc2_latent_proj.weight', [D, L], 'latentUp')] : []),
  ]
}

/** A tensor that holds one matrix, or vector, from `at` on in its weight. */
function plain(name: string, shape: readonly number[], weight: WeightName, at = 0): StoredTensor {
  const [rows, columns = 1] = shape
  return { name, shape, pieces: [{ weight, at, rows, columns, start: 0, down: columns, along: 1 }] }
}

interface Projection {
  readonly name: string
  /** Mixtral's name. */
  readonly w: string
  readonly weight: WeightName
  readonly bias: WeightName
  readonly out: number
  readonly in: number
}

/** The projections of an expert, [out, in]: those that read its input, then the one that writes its output. */
function projections(layer: ResolvedLayer): { first: Projection[]; down: Projection } {
  const { expertWidth: F, latentWidth, hiddenSize, gated } = layer
  const I = latentWidth || hiddenSize
  const gate = {
    name: 'gate_proj',
    w: 'w1',
    weight: 'gateProj',
    bias: 'gateProjBias',
    out: F,
    in: I,
  } as const
  const up = { name: 'up_proj', w: 'w3', weight: 'upProj', bias: 'upProjBias', out: F, in: I } as const
  const down = {
    name: 'down_proj',
    w: 'w2',
    weight: 'downProj',
    bias: 'downProjBias',
    out: I,
    in: F,
  } as const
  return { first: gated ? [gate, up] : [up], down }
}

function expertTensors(layer: ResolvedLayer, layout: ExpertLayout): StoredTensor[] {
  const { first, down } = projections(layer)
  if (layout === 'perExpert' || layout === 'w123') {
    return Array.from({ length: layer.router.numExperts }, (_, e) =>
      [...first, down].flatMap((p) => {
        const name = `experts.${e}.${layout === 'w123' ? p.w : p.name}`
        const weight = plain(`${name}.weight`, [p.out, p.in], p.weight, e * p.out * p.in)
        return layer.expertBiases ? [weight, plain(`${name}.bias`, [p.out], p.bias, e * p.out)] : [weight]
      }),
    ).flat()
  }
  const name = first.length === 2 ? 'experts.gate_up_proj' : 'experts.up_proj'
  return [...fused(name, first, layer, layout), ...fused('experts.down_proj', [down], layer, layout)]
}

/** One tensor for all experts, with the outputs of `parts` one after another or in turn, and one for their biases. */
function fused(
  name: string,
  parts: readonly Projection[],
  layer: ResolvedLayer,
  layout: ExpertLayout,
): StoredTensor[] {
  const E = layer.router.numExperts
  const { out, in: inputs } = parts[0]
  const outputs = parts.length * out
  const experts = Array.from({ length: E }, (_, e) => e)
  const inTurn = layout === 'interleaved'
  const step = inTurn ? parts.length : 1
  const transposed = layout !== 'fused'
  const pieces = (columns: number, weightOf: (part: Projection) => WeightName): Piece[] =>
    experts.flatMap((e) =>
      parts.map((part, p) => {
        const first = inTurn ? p : p * out // among the outputs of this expert
        const [down, along] = transposed ? [step, outputs] : [step * columns, 1]
        const start = e * outputs * columns + (transposed ? first : first * columns)
        return { weight: weightOf(part), at: e * out * columns, rows: out, columns, start, down, along }
      }),
    )
  const shape = transposed ? [E, inputs, outputs] : [E, outputs, inputs]
  const weight = { name, shape, pieces: pieces(inputs, (part) => part.weight) }
  const bias = { name: `${name}_bias`, shape: [E, outputs], pieces: pieces(1, (part) => part.bias) }
  return layer.expertBiases ? [weight, bias] : [weight]
}
