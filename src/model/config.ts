import type { Sublayer } from './kinds/kinds.js'

export type * from './kinds/kinds.js'

/**
 * A language model as small plain data: one letter a layer, and for each letter what such a layer is made of.
 * A transformer layer is one letter with two sublayers; a layer of Nemotron-H is a letter with one.
 */
export interface ModelConfig {
  readonly name: string
  /** D, the width of the residual stream. */
  readonly hiddenSize: number
  readonly vocabSize: number
  /** The head reuses the embedding table, so that one matrix is stored for both. */
  readonly tiedEmbeddings: boolean
  /** The stack from the first layer to the last, one letter each, such as 'MEM*E'. */
  readonly pattern: string
  /** What each letter stands for: its sublayers in order, each behind a norm [D] of its own. */
  readonly layers: Readonly<Record<string, readonly Sublayer[]>>
  /** Stored multi-token-prediction blocks, each a pattern of the same letters; none unless given. */
  readonly mtp?: readonly string[]
  /** Norms have a bias beside their weight (LayerNorm as Phi-3.5 has it). */
  readonly normBiases?: true
  /** A second norm follows each sublayer (Grok-1). */
  readonly postNorms?: true
  /** The head has a bias [vocabulary]. */
  readonly headBias?: true
  /** So many residual streams, mixed before and after each sublayer (hyper-connections, DeepSeek-V4). */
  readonly hyperConnections?: number
  /** Each sublayer weighs the streams of the layers before it: a norm and a projection, [D] each (Kimi-K3). */
  readonly attentionResiduals?: true
}

/** The sublayers of a stack, in the order in which a token meets them. */
export function sublayersOf(model: ModelConfig, pattern: string = model.pattern): Sublayer[] {
  return [...pattern].flatMap((letter) => model.layers[letter])
}
