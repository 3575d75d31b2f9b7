import { demandNothingElse } from '../errors.js'
import { type ModelConfig, type Sublayer, sublayersOf } from './config.js'
import { holdingsOf, type Kept, type RoutedExperts } from './holdings.js'
import { kindOf } from './kinds/kinds.js'
import { countParameters } from './parameters.js'
import { bytesIn, type StorageFormat } from './storage.js'

/** Keys and values of the context: each token adds `bytesPerToken`, up to the last `window` tokens where there is one. */
export interface Cache {
  readonly bytesPerToken: number
  readonly window?: number
}

/** Mixture-of-experts layers that are alike. */
export interface ExpertLayers {
  readonly layers: number
  readonly numExperts: number
  readonly topK: number
  /** Groups of the router, and how many of them a token may use, where that is not all. */
  readonly numGroups?: number
  readonly topGroups?: number
  /** Of one routed expert. */
  readonly expertParameters: number
  readonly expertBytes: number
  /** What a routed expert reads and writes: D, or the latent width. */
  readonly width: number
}

/** What a model holds in memory and reads at a step: a measured checkpoint can be written down as one, too. */
export interface ModelMemory {
  /** All weights that are stored, without multi-token-prediction blocks. */
  readonly weightBytes: number
  /** Weights that each step reads whatever its tokens: all but routed experts and an embedding table of its own. */
  readonly commonBytes: number
  readonly commonParameters: number
  readonly experts: readonly ExpertLayers[]
  readonly caches: readonly Cache[]
  /** Recurrent state of one sequence, whatever its length; each token reads it and writes it. */
  readonly stateBytes: number
}

/** The format of a part of the weights (a name of `countParameters`); `at` is absent for what is no sublayer's own. */
export type WeightPolicy = (
  part: string,
  at?: { readonly sublayers: readonly Sublayer[]; readonly index: number },
) => StorageFormat

export interface MemoryFormats {
  /** bf16 unless given. */
  readonly weights?: StorageFormat | WeightPolicy
  /** bf16 unless given. */
  readonly keyValues?: StorageFormat
  /** Of the recurrent state; fp32 unless given. */
  readonly state?: StorageFormat
  /** Of the last inputs of a short convolution; bf16 unless given. */
  readonly convState?: StorageFormat
}

/**
 * The FP8 recipe of Nemotron 3 Nano: attention and the Mamba layers that feed it stay bf16, and so do embedding, head and
 * norms; routers are fp32, all else is fp8. Source: arXiv 2512.20848, and the excluded modules of NVIDIA's own checkpoint.
 * Left out: convolutions of Mamba stay bf16 there, 0.7 MB more.
 */
export const nemotronFp8: WeightPolicy = (part, at) => {
  if (at === undefined || part === 'attention') return 'bf16'
  if (part === 'router' || part === 'routerBias') return 'fp32'
  return part === 'mamba' && at.sublayers[at.index + 1]?.kind === 'attention' ? 'bf16' : 'fp8'
}

/**
 * Weights, cache and state of a model, in bytes.
 *
 * Left out: multi-token-prediction blocks, activations, fragmentation and pages half used, the workspace of kernels.
 * Throws an InputError on a model that contradicts itself or a format that is not known.
 */
export function memoryOf(model: ModelConfig, formats: MemoryFormats = {}): ModelMemory {
  const { weights = 'bf16', keyValues = 'bf16', state = 'fp32', convState = 'bf16', ...rest } = formats
  demandNothingElse('memoryOf: the formats', rest)
  const pieces = piecesOf(model, typeof weights === 'function' ? weights : () => weights)
  const held = sublayersOf(model).map(holdingsOf)
  const total = (what: 'state' | 'convState'): number =>
    held.reduce((sum, { [what]: numbers = 0 }) => sum + numbers, 0)
  const sum = (some: readonly Piece[], of: (piece: Piece) => number): number =>
    some.reduce((before, piece) => before + of(piece), 0)
  // A tied table is the head, which a step reads whole; one of its own gives a row a token.
  const read = pieces.filter(({ part }) => model.tiedEmbeddings || part !== 'embedding')
  const common = read.filter(({ experts }) => experts === undefined)
  return {
    weightBytes: sum(pieces, bytesOf),
    commonBytes: sum(common, bytesOf),
    commonParameters: sum(common, ({ parameters }) => parameters),
    experts: alike(pieces, model.hiddenSize),
    caches: cachesOf(
      held.flatMap(({ caches = [] }) => caches),
      bytesIn('memoryOf', keyValues),
    ),
    stateBytes:
      total('state') * bytesIn('memoryOf', state) + total('convState') * bytesIn('memoryOf', convState),
  }
}

/** A part of the weights of one sublayer, or of what is no sublayer's own. */
interface Piece {
  readonly part: string
  readonly parameters: number
  readonly bytesPerParameter: number
  readonly experts?: RoutedExperts
}

const bytesOf = ({ parameters, bytesPerParameter }: Piece): number => parameters * bytesPerParameter

function piecesOf(model: ModelConfig, policy: WeightPolicy): Piece[] {
  const rest: Record<string, number> = {}
  for (const [part, { total }] of Object.entries(countParameters(model).parts)) rest[part] = total
  const sublayers = sublayersOf(model)
  const own = sublayers.flatMap((sublayer, index) => {
    const { experts } = holdingsOf(sublayer)
    const parts = Object.entries(kindOf(sublayer).count(sublayer, model.hiddenSize)).filter(
      ([, { total }]) => total > 0,
    )
    return parts.map(([part, { total: parameters }]) => {
      rest[part] -= parameters
      const bytesPerParameter = bytesIn('memoryOf', policy(part, { sublayers, index }))
      return { part, parameters, bytesPerParameter, ...(part === experts?.part && { experts }) }
    })
  })
  const others = Object.entries(rest).map(([part, parameters]) => ({
    part,
    parameters,
    bytesPerParameter: bytesIn('memoryOf', policy(part)),
  }))
  return [...own, ...others]
}

/** The caches of all layers, those of one window together. */
function cachesOf(kept: readonly Kept[], bytes: number): Cache[] {
  const byWindow = new Map<number | undefined, number>()
  for (const { numbersPerToken, window } of kept) {
    if (numbersPerToken > 0) byWindow.set(window, (byWindow.get(window) ?? 0) + numbersPerToken * bytes)
  }
  return [...byWindow].map(([window, bytesPerToken]) => ({
    bytesPerToken,
    ...(window !== undefined && { window }),
  }))
}

/** The layers of routed experts, those that are alike together. */
function alike(pieces: readonly Piece[], hiddenSize: number): ExpertLayers[] {
  const groups = new Map<string, ExpertLayers>()
  for (const { experts, parameters, bytesPerParameter } of pieces) {
    if (experts === undefined) continue
    const { part: _, width = hiddenSize, ...choices } = experts
    const expertParameters = parameters / choices.numExperts
    const layer = {
      ...choices,
      expertParameters,
      expertBytes: expertParameters * bytesPerParameter,
      width,
    }
    const key = JSON.stringify(layer)
    groups.set(key, { layers: (groups.get(key)?.layers ?? 0) + 1, ...layer })
  }
  return [...groups.values()]
}

/** Keys, values and state of one sequence at a context of so many tokens. */
export function sequenceBytes({ caches, stateBytes }: ModelMemory, contextTokens: number): number {
  return caches.reduce(
    (sum, { bytesPerToken, window = contextTokens }) => sum + bytesPerToken * Math.min(contextTokens, window),
    stateBytes,
  )
}
