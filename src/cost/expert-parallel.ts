import { demand, demandNothingElse, demandWhole } from '../errors.js'
import { demandMultiple } from '../model/demands.js'
import { type ExpertLayers, type ModelMemory, sequenceBytes } from '../model/memory.js'
import type { StorageFormat } from '../model/storage.js'
import { mean, sum } from '../stats.js'
import { atLeastOnce } from './at-least-once.js'
import { activeParametersOf } from './decode.js'
import { expectedDistinctExperts } from './distinct-experts.js'
import { limitOf } from './group-limit.js'
import { expectedGroupsTouched } from './groups-touched.js'
import { demandHardware, exchangeFields, flopsPerSecondIn, type Hardware } from './hardware.js'
import type { LoadsOnRanks } from './loads-on-ranks.js'
import { busiestPorts, type Ports } from './ports.js'
import { fairRankChances } from './rank-chances.js'
import { expectedStraggler } from './straggler.js'
import { allToAllBytesPerToken } from './traffic.js'

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
  /** Measured loads of the model's layers on these ranks, of `loadsOnRanks`; fair routing, each expert once, unless given. */
  readonly measured?: LoadsOnRanks | undefined
  /** Largest over mean load of the ranks; that of measured loads, or of fair routing, unless given. */
  readonly stragglerFactor?: number
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
 * What a decode step over R ranks takes at least: in each layer all wait for the rank whose experts have most to do, for the
 * one that reads most of them, and for the busiest port. A vector travels for each rank that a token needs, over the network
 * too; each exchange begins with the latency of the hardware, the same near and far and for any number of ranks, as measured
 * ones nearly are: set it to 0 for what no library could beat. Without measured loads, tokens choose each set of experts with
 * the same chance, or within a limit of groups as `expectedGroupsTouched` has it, which leaves reading even, and ports where
 * ranks do not cut groups unevenly, and only the experts' work to `expectedStraggler`; with them, layers that were not measured
 * are like those that were. Left out: contention and packing of messages, memory for activations, attention over the context
 * as computation, and what `loadsOnRanks` leaves out.
 * Throws an InputError where the experts of a layer do not divide by the ranks, and on measured loads of other experts or
 * ranks.
 */
export function expertParallelDecode(setup: ExpertParallelDecode): ExpertParallelPoint {
  const { model, hardware, ranks, batchPerRank, contextTokens, ...formats } = setup
  const { activations, dispatch, combine, measured, stragglerFactor: given, ...rest } = formats
  const who = 'expertParallelDecode'
  demandNothingElse(`${who}: the setup`, rest)
  demandWhole(`${who}: ranks`, ranks, 1, 1 << 20, 'It is the number of devices.')
  demandWhole(`${who}: batchPerRank`, batchPerRank, 1, 1e9, 'It is the sequences of one device.')
  demandWhole(`${who}: contextTokens`, contextTokens, 0, 1e9, 'It is the tokens that a sequence has so far.')
  demandHardware(who, hardware, 'memoryBytesPerSecond', ...exchangeFields)
  const step = { layers: 0, once: 0, stored: 0, read: 0, transferSeconds: 0, waiting: 0 }
  for (const layer of model.experts) {
    const { layers, topK, expertBytes, expertParameters, width } = layer
    const own = measured ? measuredLayer(layer, measured, setup) : fairLayer(layer, setup)
    const vectorBytes = allToAllBytesPerToken({ topK: 1, width, dispatch, combine })
    const portSeconds = own.ports.map(({ near, far }) =>
      Math.max(near / hardware.linkBytesPerSecond, far / hardware.networkBytesPerSecond),
    )
    step.layers += layers
    step.once += layers * layer.numExperts * expertBytes
    step.stored += (layers * own.slots * expertBytes) / ranks
    step.read += layers * own.expertsRead * expertBytes
    step.transferSeconds += layers * batchPerRank * vectorBytes * mean(portSeconds)
    step.waiting += ((given ?? own.stragglerFactor) - 1) * layers * topK * expertParameters
  }
  const perSequence = sequenceBytes(model, contextTokens)
  const moved = model.commonBytes + step.read + batchPerRank * (perSequence + model.stateBytes)
  const memorySeconds = moved / hardware.memoryBytesPerSecond
  const flops = 2 * batchPerRank * (activeParametersOf(model) + step.waiting)
  const computeSeconds = flops / flopsPerSecondIn(hardware, activations)
  const latencySeconds = ranks > 1 ? 2 * step.layers * (hardware.latencySeconds ?? 0) : 0
  const communicationSeconds = latencySeconds + step.transferSeconds
  const stepSeconds = Math.max(memorySeconds, computeSeconds, communicationSeconds)
  return {
    ranks,
    batchPerRank,
    memoryBytesPerRank: model.weightBytes - step.once + step.stored + batchPerRank * perSequence,
    memorySeconds,
    computeSeconds,
    latencySeconds,
    communicationSeconds,
    stepSeconds,
    tokensPerSecondPerRank: batchPerRank / stepSeconds,
    tokensPerSecondPerSequence: 1 / stepSeconds,
  }
}

/** What one layer asks of the rank that has most of it. */
interface LayerDemand {
  /** Of all ranks. */
  readonly slots: number
  /** Experts whose weights it reads, in the mean of a step. */
  readonly expertsRead: number
  readonly stragglerFactor: number
  /** Of each measured layer. */
  readonly ports: readonly Ports[]
}

type BatchOnRanks = Pick<ExpertParallelDecode, 'ranks' | 'batchPerRank' | 'hardware'>

function fairLayer(
  layer: ExpertLayers,
  { ranks, batchPerRank, hardware: { ranksPerNode } }: BatchOnRanks,
): LayerDemand {
  const { numExperts, topK } = layer
  const equally = 'Each rank holds equally many.'
  demandMultiple('expertParallelDecode: the experts of a layer', numExperts, 'ranks', ranks, equally)
  const tokens = ranks * batchPerRank
  const limit = limitOf('expertParallelDecode', layer)
  const chances =
    limit.numGroups > 1
      ? fairRankChances(layer, limit, ranks)
      : new Float64Array(ranks).fill(expectedGroupsTouched({ numExperts, topK, groups: ranks }) / ranks)
  return {
    slots: numExperts,
    expertsRead: expectedDistinctExperts({ numExperts, topK, tokens }) / ranks,
    stragglerFactor: expectedStraggler({ tokens, numExperts, topK, ranks, ...limit }),
    ports: [busiestPorts(chances, ranksPerNode)],
  }
}

function measuredLayer(
  layer: ExpertLayers,
  measured: LoadsOnRanks,
  { ranks, batchPerRank, hardware: { ranksPerNode } }: BatchOnRanks,
): LayerDemand {
  const { numExperts, topK } = layer
  const limit = limitOf('expertParallelDecode', layer)
  for (const [name, wanted] of Object.entries({ numExperts, topK, ranks, ...limit })) {
    const found = measured[name as 'ranks']
    const remedy = 'Give loadsOnRanks those of this model, on these ranks.'
    demand(found === wanted, `expertParallelDecode: ${name} of measured must be ${wanted}`, found, remedy)
  }
  const { slots, layers, stragglerFactor } = measured
  const tokens = ranks * batchPerRank
  const most = layers.map(({ slotChances }) => {
    const read = slotChances.map((chance) => atLeastOnce(chance, tokens))
    const ofRank = (rank: number): number =>
      sum(read.subarray((rank * slots) / ranks, ((rank + 1) * slots) / ranks))
    return Array.from({ length: ranks }, (_, rank) => ofRank(rank)).reduce((a, b) => Math.max(a, b))
  })
  return {
    slots,
    expertsRead: mean(most),
    stragglerFactor,
    ports: layers.map(({ chances }) => busiestPorts(chances, ranksPerNode)),
  }
}
