import type { RouterConfig } from './router-config.js'

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
  /** What each letter stands for: its sublayers in order, each behind an RMSNorm [D] of its own. */
  readonly layers: Readonly<Record<string, readonly Sublayer[]>>
  /** Stored multi-token-prediction blocks, each a pattern of the same letters; none unless given. */
  readonly mtp?: readonly string[]
}

/** A further kind is an interface here, an entry in the checks and an entry in the counts. */
export type Sublayer = Mamba2 | Attention | DenseMlp | MixtureOfExperts

/** A Mamba-2 mixer. Its inner width is numHeads · headDim, whatever an `expand` field of a checkpoint says. */
export interface Mamba2 {
  readonly kind: 'mamba2'
  readonly numHeads: number
  readonly headDim: number
  readonly stateSize: number
  /** Groups of heads that share their input and output projections of the state (B and C). */
  readonly numGroups: number
  /** Width of the short convolution over time, which has a bias. */
  readonly convKernel: number
}

/** Grouped-query attention without biases. numHeads · headDim need not be D. */
export interface Attention {
  readonly kind: 'attention'
  readonly numHeads: number
  readonly numKeyValueHeads: number
  readonly headDim: number
}

/** Gated: down(activation(gate(x)) · up(x)), three matrices. Ungated: down(activation(up(x))), two. No biases. */
export interface FeedForward {
  readonly activation: 'relu2' | 'silu' | 'gelu'
  readonly gated: boolean
}

export interface DenseMlp extends FeedForward {
  readonly kind: 'mlp'
  readonly width: number
}

/** A router, E routed experts of which a token uses K, and S shared experts that every token uses. */
export interface MixtureOfExperts extends FeedForward {
  readonly kind: 'moe'
  readonly router: RouterConfig
  /** The router stores a bias [E] for selection, which balances the load and never reaches the output. */
  readonly correctionBias: boolean
  /** F, the width of one routed expert. */
  readonly expertWidth: number
  /** S, 0 for none. Checkpoints often store them as one MLP of width sharedExperts · sharedExpertWidth, the same sum. */
  readonly sharedExperts: number
  /** The width of one shared expert, 0 where there is none. */
  readonly sharedExpertWidth: number
  /** LatentMoE: routed experts read and write this width, behind one projection down and one up; D unless given. */
  readonly latentWidth?: number
}

/** The sublayers of a stack, in the order in which a token meets them. */
export function sublayersOf(model: ModelConfig, pattern: string = model.pattern): Sublayer[] {
  return [...pattern].flatMap((letter) => model.layers[letter])
}
