import {
  allToAllBytesPerToken,
  computeBoundTokens,
  type DecodeBytes,
  decodeBytes,
  type ExpertParallelPoint,
  expectedDistinctExperts,
  expectedGroupsTouched,
  expectedStraggler,
  expertParallelDecode,
  gaussianStraggler,
  type Hardware,
  type LoadsOnRanks,
  largestBatch,
  type ModelMemory,
  memoryBoundTokensPerSecond,
  paretoFront,
  type StorageFormat,
  sweepExpertParallel,
  throughputAndMemory,
} from '../index.js'
import { givenLoadsOnRanks } from './cost-loads.js'
import type { GivenPlacement } from './cost-placement.js'
import type { GivenLoads } from './loads.js'
import { mean } from './mean.js'

/** What is asked for. */
export interface CostQuestion {
  readonly memory: ModelMemory
  readonly hardware: Hardware
  readonly contextTokens: number
  readonly batchPerRank: number
  readonly weights: StorageFormat
  /** What is multiplied and sent to the experts; they answer in bf16. */
  readonly activations: StorageFormat
  /** Measured loads of the model; fair routing without. */
  readonly loads?: GivenLoads
  /** Where the experts of those loads stand; in their order on any number of ranks without. */
  readonly placed?: GivenPlacement
}

interface DecodeRow extends DecodeBytes {
  readonly batch: number
  /** Of the first mixture-of-experts layer. */
  readonly distinctExperts: number
  readonly tokensPerSecondAtMost: number
}

interface RankRow extends ExpertParallelPoint {
  readonly devicesPerToken: number
  /** One layer, both ways, of what leaves the device in the mean. */
  readonly bytesPerToken: number
  /** Largest over mean load; by chance of as many tokens as were counted, or as decode together. */
  readonly stragglerFactor: number
  readonly stragglerFactorByChance: number | undefined
  /** Largest over mean of what devices get: 1 of fair routing. */
  readonly busiestPort: number
  readonly fits: boolean
  /** Experts stand as they were placed, not in their order. */
  readonly placed: boolean
}

export interface CostFigures {
  readonly largestBatch: number
  /** Tokens of a step from which experts take longer to multiply than to read. */
  readonly computeBoundTokens: number
  readonly decode: readonly DecodeRow[]
  readonly ranks: readonly RankRow[]
  readonly front: readonly (ExpertParallelPoint & { readonly placed: boolean })[]
}

const usableShare = 0.9
const batches = [1, 8, 16, 32, 64, 128, 256, 512, 1024]

export function costFigures(question: CostQuestion): CostFigures {
  const { memory, hardware, contextTokens, weights, activations } = question
  const [first] = memory.experts
  const fits = largestBatch(memory, hardware, { contextTokens, usableShare })
  const asked = fits > 0 ? [...batches.filter((batch) => batch < fits), fits] : []
  const spreads = spreadsOf(question)
  return {
    largestBatch: fits,
    computeBoundTokens:
      (computeBoundTokens(hardware, { weights, activations }) * first.numExperts) / first.topK,
    decode: asked.map((batch) => ({
      batch,
      distinctExperts: expectedDistinctExperts({ ...first, tokens: batch }),
      ...decodeBytes(memory, { batch, contextTokens }),
      tokensPerSecondAtMost: memoryBoundTokensPerSecond(memory, hardware, { batch, contextTokens }),
    })),
    ranks: spreads.map((spread) => rankRow(question, spread)),
    front: paretoFront(
      spreads.flatMap(({ ranks, measured, placed }) =>
        sweepExpertParallel({ ...setupOf(question), measured, ranks: [ranks], batches, usableShare }).map(
          (point) => ({ ...point, placed }),
        ),
      ),
      throughputAndMemory,
    ),
  }
}

/** Experts on so many ranks, by their loads where these were measured. */
interface Spread {
  readonly ranks: number
  readonly measured: LoadsOnRanks | undefined
  readonly placed: boolean
}

/** In their order over every number of ranks that they spread evenly over, and as they were placed. */
function spreadsOf({ memory, loads, placed }: CostQuestion): Spread[] {
  const [{ topK, numGroups, topGroups }] = memory.experts
  const router = { topK, numGroups, topGroups }
  const inOrder = commonDivisors(memory.experts.map((layer) => layer.numExperts)).map((ranks) => {
    const measured = loads && givenLoadsOnRanks(loads, { ...router, ranks })
    return { ranks, measured, placed: false }
  })
  if (loads === undefined || placed === undefined) return inOrder
  const { ranks, placements } = placed
  const asPlaced = {
    ranks,
    measured: givenLoadsOnRanks(loads, { ...router, ranks, placements }),
    placed: true,
  }
  return [...inOrder, asPlaced].sort((a, b) => a.ranks - b.ranks)
}

/** The sizes over which the experts of every layer spread evenly. */
function commonDivisors(counts: readonly number[]): number[] {
  const least = counts.reduce((a, b) => Math.min(a, b))
  const sizes = Array.from({ length: least }, (_, i) => i + 1)
  return sizes.filter((size) => counts.every((count) => count % size === 0))
}

const vectorsOf = ({ activations }: CostQuestion) => ({ dispatch: activations, combine: 'bf16' }) as const

function setupOf(question: CostQuestion) {
  const { memory, hardware, contextTokens, activations } = question
  return { model: memory, hardware, contextTokens, activations, ...vectorsOf(question) }
}

function rankRow(question: CostQuestion, { ranks, measured, placed }: Spread): RankRow {
  const { memory, hardware, batchPerRank } = question
  const [first] = memory.experts
  const point = expertParallelDecode({ ...setupOf(question), ranks, batchPerRank, measured })
  const { ranksPerToken, stragglerFactor, busiestPort } = measured ?? {
    ranksPerToken: expectedGroupsTouched({ ...first, groups: ranks }),
    stragglerFactor: expectedStraggler({ ...first, ranks, tokens: ranks * batchPerRank }),
    busiestPort: 1,
  }
  const vectorBytes = allToAllBytesPerToken({ ...first, ...vectorsOf(question), topK: 1 })
  return {
    ...point,
    placed,
    devicesPerToken: ranksPerToken,
    bytesPerToken: ranksPerToken * (1 - 1 / ranks) * vectorBytes,
    stragglerFactor,
    stragglerFactorByChance: measured ? stragglerFactorByChance(measured) : stragglerFactor,
    busiestPort,
    fits: point.memoryBytesPerRank <= usableShare * hardware.memoryBytes,
  }
}

/**
 * What chance makes of as many tokens as were counted, the mean over layers, of experts in their order; undefined where
 * these do not spread evenly, and of shares, which do not tell how many tokens were counted.
 */
function stragglerFactorByChance(measured: LoadsOnRanks): number | undefined {
  const { topK, numExperts, ranks, numGroups, topGroups, layers } = measured
  const tokens = layers.map(({ load }) => Math.round(load.reduce((sum, count) => sum + count, 0) / topK))
  if (numExperts % ranks !== 0 || tokens.some((count) => count <= 1)) return undefined
  const sizes = { numExperts, topK, ranks, numGroups, topGroups }
  const variance = (topK / ranks) * (1 - topK / numExperts) // of a rank's load, about, for each token
  const ofOne = gaussianStraggler({ ...sizes, tokens: 1 }) - 1 // a normal law's falls with the root of the tokens
  const chanceOf = (count: number): number =>
    count > mostCounted || count * variance > fewestNormal
      ? 1 + ofOne / Math.sqrt(count)
      : expectedStraggler({ ...sizes, tokens: count })
  const found = new Map([...new Set(tokens)].map((count) => [count, chanceOf(count)])) // most layers count as many
  return mean(tokens.map((count) => found.get(count) as number))
}

/** What `expectedStraggler` takes. */
const mostCounted = 1e10

/** The variance of a rank's load from which both laws agree on what it adds to 1, within half a percent. */
const fewestNormal = 1e5
