import { demandNothingElse, demandWhole } from '../errors.js'
import { demandMultiple } from '../model/demands.js'
import { type ModelMemory, sequenceBytes } from '../model/memory.js'
import type { StorageFormat } from '../model/storage.js'
import { activeParametersOf } from './decode.js'
import { expectedDistinctExperts } from './distinct-experts.js'
import { demandHardware, exchangeFields, flopsPerSecondIn, type Hardware } from './hardware.js'
import { expectedStraggler } from './straggler.js'
import { expectedBytesPerToken } from './traffic.js'

/** Decoding over R ranks: each has its own sequences and all weights but the routed experts, which are spread evenly. */
export interface ExpertParallelDecode {
  readonly model: ModelMemory
  readonly hardware: Hardware
  readonly ranks: number
  /** Sequences of one rank. */
  readonly batchPerRank: number
  readonly contextTokens: number
  /** What is multiplied, which sets the rate of computation; and what travels. */
  readonly activations: StorageFormat
  readonly dispatch: StorageFormat
  readonly combine: StorageFormat
  /** Largest over mean load of the ranks, such as a counted one; that of fair routing unless given. */
  readonly straggler?: number
}

export interface ExpertParallelPoint {
  readonly ranks: number
  readonly batchPerRank: number
  /** Weights, cache and state of one rank. */
  readonly memoryBytesPerRank: number
  readonly memorySeconds: number
  readonly computeSeconds: number
  /** α of the hardware for the dispatch and the combine of each layer; 0 on one rank. */
  readonly latencySeconds: number
  /** That, and the time of the bytes: one exchange after another. */
  readonly communicationSeconds: number
  /** The longest of memory, computation and communication: a step takes at least so long, were they to overlap without a gap. */
  readonly stepSeconds: number
  /** Upper bounds, for exchanges of that latency. */
  readonly tokensPerSecondPerRank: number
  readonly tokensPerSecondPerSequence: number
}

/**
 * What a decode step over R ranks takes at least. Experts' work counts with the straggler factor, reading of weights and
 * traffic without. A vector travels for each rank that a token needs, over the network too; each exchange begins with the
 * latency of the hardware, the same near and far and for any number of ranks, as measured ones nearly are: set it to 0 for
 * what no library could beat. Left out: contention and packing of messages, memory for activations, attention over the
 * context as computation, and that copies of experts may live on several ranks.
 * Throws an InputError where the experts of a layer do not divide by the ranks.
 */
export function expertParallelDecode(setup: ExpertParallelDecode): ExpertParallelPoint {
  const { model, hardware, ranks, batchPerRank, contextTokens, ...formats } = setup
  const { activations, dispatch, combine, straggler: given, ...rest } = formats
  const who = 'expertParallelDecode'
  demandNothingElse(`${who}: the setup`, rest)
  demandWhole(`${who}: ranks`, ranks, 1, 1 << 20, 'It is the number of devices.')
  demandWhole(`${who}: batchPerRank`, batchPerRank, 1, 1e9, 'It is the sequences of one device.')
  demandWhole(`${who}: contextTokens`, contextTokens, 0, 1e9, 'It is the tokens that a sequence has so far.')
  demandHardware(who, hardware, 'memoryBytesPerSecond', ...exchangeFields)
  const tokens = ranks * batchPerRank
  const node = Math.min(hardware.ranksPerNode, ranks)
  const read = { layers: 0, stored: 0, bytes: 0, nearBytes: 0, farBytes: 0, waiting: 0 }
  for (const { layers, numExperts, topK, expertBytes, expertParameters, width } of model.experts) {
    demandMultiple(
      `${who}: the experts of a layer`,
      numExperts,
      'ranks',
      ranks,
      'Each rank holds equally many.',
    )
    read.layers += layers
    read.stored += (layers * numExperts * expertBytes) / ranks
    read.bytes += (layers * expertBytes * expectedDistinctExperts({ numExperts, topK, tokens })) / ranks
    const sizes = { numExperts, topK, groups: ranks, width, dispatch, combine }
    const straggler = given ?? expectedStraggler({ tokens, numExperts, topK, ranks })
    const leaving = layers * batchPerRank * expectedBytesPerToken(sizes)
    const near = ranks > 1 ? (node - 1) / (ranks - 1) : 0
    read.nearBytes += leaving * near
    read.farBytes += leaving * (1 - near)
    read.waiting += (straggler - 1) * layers * topK * expertParameters
  }
  const perSequence = sequenceBytes(model, contextTokens)
  const moved = model.commonBytes + read.bytes + batchPerRank * (perSequence + model.stateBytes)
  const memorySeconds = moved / hardware.memoryBytesPerSecond
  const flops = 2 * batchPerRank * (activeParametersOf(model) + read.waiting)
  const computeSeconds = flops / flopsPerSecondIn(hardware, activations)
  const latencySeconds = ranks > 1 ? 2 * read.layers * (hardware.latencySeconds ?? 0) : 0
  const transferSeconds = Math.max(
    read.nearBytes / hardware.linkBytesPerSecond,
    read.farBytes / hardware.networkBytesPerSecond,
  )
  const communicationSeconds = latencySeconds + transferSeconds
  const stepSeconds = Math.max(memorySeconds, computeSeconds, communicationSeconds)
  const unspread = model.experts.reduce(
    (sum, { layers, numExperts, expertBytes }) => sum + layers * numExperts * expertBytes,
    0,
  )
  return {
    ranks,
    batchPerRank,
    memoryBytesPerRank: model.weightBytes - unspread + read.stored + batchPerRank * perSequence,
    memorySeconds,
    computeSeconds,
    latencySeconds,
    communicationSeconds,
    stepSeconds,
    tokensPerSecondPerRank: batchPerRank / stepSeconds,
    tokensPerSecondPerSequence: 1 / stepSeconds,
  }
}
