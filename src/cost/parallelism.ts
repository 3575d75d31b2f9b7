import { demandNothingElse, demandWhole } from '../errors.js'
import { type ModelConfig, type Sublayer, sublayersOf } from '../model/config.js'
import { demandMultiple } from '../model/demands.js'
import { holdingsOf } from '../model/holdings.js'
import { countParameters } from '../model/parameters.js'
import { bytesIn, type StorageFormat } from '../model/storage.js'
import { expectedBytesPerToken } from './traffic.js'

/**
 * How a model is spread over devices: tensor · context · pipeline · data of them. Experts are spread over `expert` of the
 * tensor · context · data ranks of a stage, whole, and repeated over the rest (Megatron-LM, parallel folding).
 */
export interface Parallelism {
  readonly tensor: number
  readonly context: number
  readonly pipeline: number
  readonly expert: number
  readonly data: number
}

/**
 * The long-context phase of Nemotron 3 Nano, on H100: 8-way tensor, context and expert, 4-way pipeline parallelism.
 * Source: arXiv 2512.20848. Its data parallelism is not published: one replica of 256 devices here.
 */
export const nemotron3NanoLongContext: Parallelism = {
  tensor: 8,
  context: 8,
  pipeline: 4,
  expert: 8,
  data: 1,
}

/** Training with Adam as Megatron-LM does: bf16 weight and fp32 gradient on each rank, fp32 weight and moments shared out. */
export const adamBytes: ParameterBytes = { residentBytes: 6, shardedBytes: 12 }

/** Bytes of one parameter on each rank that holds it, and those that the ranks with the same parameters share out. */
export interface ParameterBytes {
  readonly residentBytes: number
  readonly shardedBytes: number
}

/** One rank of a pipeline stage. */
export interface StageMemory {
  readonly denseParameters: number
  readonly expertParameters: number
  readonly parameterBytes: number
}

// Norms and routers are on every tensor-parallel rank.
const unsplit = new Set(['router', 'routerBias', 'norms'])

/**
 * What each stage's ranks hold, first stage first: layers in equal runs, the embedding on the first and the head on the last.
 *
 * Left out: activations, which at long contexts are most of it, and their recomputation; MTP blocks; keys and values that
 * ranks repeat where there are fewer heads of them than ranks; buffers of the communication.
 * Throws an InputError where layers, experts or ranks do not divide.
 */
export function stageMemory(
  model: ModelConfig,
  layout: Parallelism,
  bytes: ParameterBytes = adamBytes,
): StageMemory[] {
  const sharing = checkLayout('stageMemory', model, layout)
  const { tensor, pipeline, expert } = layout
  return patternsOf(model, pipeline).map((stage, index) => {
    const { embedding, lmHead, ...own } = countParameters({ ...model, pattern: stage }).parts
    const twice = countParameters({ ...model, pattern: stage + stage }).parts
    const [isFirst, isLast] = [index === 0, index === pipeline - 1]
    const found = { dense: 0, experts: 0 }
    for (const [part, { total }] of Object.entries(own)) {
      // What a stack has once, as the norm after its last layer, is the last stage's.
      const held = total - (isLast ? 0 : 2 * total - twice[part].total)
      if (part === 'routedExperts') found.experts += held / expert
      else found.dense += unsplit.has(part) ? held : held / tensor
    }
    if (isFirst) found.dense += embedding.total / tensor
    // A tied head on another stage than the embedding is a copy of it.
    if (isLast && !(isFirst && model.tiedEmbeddings)) found.dense += (lmHead ?? embedding).total / tensor
    const { residentBytes, shardedBytes } = bytes
    return {
      denseParameters: found.dense,
      expertParameters: found.experts,
      parameterBytes:
        found.dense * (residentBytes + shardedBytes / sharing.dense) +
        found.experts * (residentBytes + shardedBytes / sharing.experts),
    }
  })
}

/** Bytes that one rank of a stage sends in a forward pass, by what for. */
export interface StageTraffic {
  readonly tensorBytes: number
  readonly contextBytes: number
  readonly expertBytes: number
  readonly pipelineBytes: number
}

/**
 * What each stage's ranks send for `tokens` of one replica, forward; backward it is about as much again, or twice.
 *
 * Tensor: an all-gather and a reduce-scatter of [tokens, D] around each sublayer with split matrices (sequence parallel).
 * Context: keys and values go once round the ring. Expert: a vector for each rank that a token needs, expected of fair
 * routing. Pipeline: [tokens, D] to the next stage. Left out: what Mamba exchanges over context ranks, gradients.
 */
export function stageTraffic(
  model: ModelConfig,
  layout: Parallelism,
  { tokens, format = 'bf16', ...rest }: { readonly tokens: number; readonly format?: StorageFormat },
): StageTraffic[] {
  demandNothingElse('stageTraffic: the options', rest)
  checkLayout('stageTraffic', model, layout)
  demandWhole('stageTraffic: tokens', tokens, 0, 1e12, 'It is the tokens of one replica in a micro-batch.')
  const { tensor, context, pipeline, expert } = layout
  const onRank = tokens / context
  const numberBytes = bytesIn('stageTraffic', format)
  const vectorBytes = model.hiddenSize * numberBytes
  return patternsOf(model, pipeline).map((stage, index) => {
    const sublayers = sublayersOf(model, stage)
    const sum = (bytes: (sublayer: Sublayer) => number): number =>
      sublayers.reduce((all, one) => all + bytes(one), 0)
    const isSplit = (sublayer: Sublayer): boolean => sublayer.kind !== 'moe' || sublayer.sharedExperts > 0
    return {
      tensorBytes: sum((one) => (isSplit(one) ? 2 : 0)) * onRank * vectorBytes * ((tensor - 1) / tensor),
      contextBytes: sum((one) => {
        const { caches = [] } = holdingsOf(one)
        const heads = 'numKeyValueHeads' in one ? one.numKeyValueHeads : 1
        const numbers = caches.reduce((all, { numbersPerToken }) => all + numbersPerToken, 0)
        return ((context - 1) * onRank * numbers * numberBytes) / Math.min(tensor, heads)
      }),
      expertBytes: sum((one) => {
        if (one.kind !== 'moe') return 0
        const { router, latentWidth: width = model.hiddenSize } = one
        const sizes = {
          ...router,
          numGroups: router.numGroups ?? 1,
          groups: expert,
          width,
          dispatch: format,
          combine: format,
        }
        return (onRank / tensor) * expectedBytesPerToken(sizes)
      }),
      pipelineBytes: index === pipeline - 1 ? 0 : (onRank / tensor) * vectorBytes,
    }
  })
}

/** The layers of each stage. */
function patternsOf({ pattern }: ModelConfig, pipeline: number): string[] {
  const run = pattern.length / pipeline
  return Array.from({ length: pipeline }, (_, i) => pattern.slice(i * run, (i + 1) * run))
}

/** Over how many ranks the same dense parameters, and the same experts, are repeated. */
function checkLayout(
  who: string,
  model: ModelConfig,
  layout: Parallelism,
): { dense: number; experts: number } {
  for (const [name, size] of Object.entries(layout))
    demandWhole(`${who}: ${name}`, size, 1, 1 << 20, 'Use 1 for none of it.')
  const { tensor, context, pipeline, expert, data, ...rest } = layout
  demandNothingElse(`${who}: the layout`, rest)
  const ranks = tensor * context * data
  demandMultiple(
    `${who}: tensor · context · data`,
    ranks,
    'expert',
    expert,
    'Experts are spread over these ranks.',
  )
  demandMultiple(
    `${who}: the layers`,
    model.pattern.length,
    'pipeline',
    pipeline,
    'Stages have equally many.',
  )
  for (const sublayer of sublayersOf(model)) {
    if (sublayer.kind !== 'moe') continue
    const { numExperts } = sublayer.router
    demandMultiple(
      `${who}: the experts of a layer`,
      numExperts,
      'expert',
      expert,
      'Each rank holds equally many.',
    )
  }
  return { dense: context * data, experts: ranks / expert }
}
