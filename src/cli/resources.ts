import { type FlopCount, flopsOf, type ModelConfig, memoryOf, sequenceBytes } from '../index.js'
import { whole } from './given.js'

/** What a model takes up, and does, at a context of so many tokens. */
export interface Resources {
  readonly contextTokens: number
  readonly memory: {
    /** All weights in one format, scales of blocks included, without blocks for multi-token prediction. */
    readonly weightBytes: Readonly<Record<'bf16' | 'fp8' | 'nvfp4', number>>
    /** In bf16; a window bounds how many tokens keep theirs. */
    readonly keyValueBytesPerToken: number
    /** Recurrent state in fp32, last inputs of convolutions in bf16. */
    readonly stateBytesPerSequence: number
    /** Both, of one sequence as long as the context. */
    readonly sequenceBytes: number
  }
  readonly flops: {
    /** The context in one pass, with the logits of its last token. */
    readonly prefill: FlopCount
    readonly prefillPerToken: number
    /** The token after it. */
    readonly decode: FlopCount
  }
}

export function contextTokens(given: { readonly context?: string }): number {
  const asked = given.context === undefined ? {} : { context: given.context }
  return whole(asked, 'context', 4096, 1e7, 'Leave it out for 4096.')
}

export function resourcesOf(model: ModelConfig, contextTokens: number): Resources {
  const memory = memoryOf(model)
  const weights = (format: 'bf16' | 'fp8' | 'nvfp4'): number =>
    Math.ceil(memoryOf(model, { weights: format }).weightBytes)
  const prefill = flopsOf(model, { tokens: contextTokens })
  return {
    contextTokens,
    memory: {
      weightBytes: { bf16: weights('bf16'), fp8: weights('fp8'), nvfp4: weights('nvfp4') },
      keyValueBytesPerToken: memory.caches.reduce((sum, { bytesPerToken }) => sum + bytesPerToken, 0),
      stateBytesPerSequence: memory.stateBytes,
      sequenceBytes: sequenceBytes(memory, contextTokens),
    },
    flops: {
      prefill,
      prefillPerToken: Math.round(prefill.total / contextTokens),
      decode: flopsOf(model, { tokens: 1, contextTokens }),
    },
  }
}

type Row = readonly [name: string, of: (resources: Resources) => number]

export const memoryRows = (context: string): readonly Row[] => [
  ['weights in bf16', ({ memory }) => memory.weightBytes.bf16],
  ['weights in fp8', ({ memory }) => memory.weightBytes.fp8],
  ['weights in nvfp4', ({ memory }) => memory.weightBytes.nvfp4],
  ['keys and values of a token, bf16', ({ memory }) => memory.keyValueBytesPerToken],
  ['state of a sequence', ({ memory }) => memory.stateBytesPerSequence],
  [`a sequence of ${context} tokens`, ({ memory }) => memory.sequenceBytes],
]

export const operationRows = (context: string): readonly Row[] => [
  [`prefill of ${context} tokens`, ({ flops }) => flops.prefill.total],
  ['a token of them', ({ flops }) => flops.prefillPerToken],
  ['decode of the next', ({ flops }) => flops.decode.total],
]

/** What is no weight's own among the parts of operations. */
const besideWeights = ['attentionScores', 'indexerScores', 'stateScan']

/** Operations by what they are spent on: weights together, and what is beside them. */
export function operationParts({ total, parts }: FlopCount): Map<string, number> {
  const beside = besideWeights.filter((part) => Object.hasOwn(parts, part))
  const rest = beside.reduce((sum, part) => sum - parts[part], total)
  return new Map([['weights', rest], ...beside.map((part): [string, number] => [part, parts[part]])])
}
