import {
  computeBoundTokens,
  type DecodeBytes,
  decodeBytes,
  demand,
  type ExpertLayers,
  type ExpertParallelPoint,
  expectedBytesPerToken,
  expectedDistinctExperts,
  expectedGroupsTouched,
  expectedStraggler,
  expertParallelDecode,
  type Hardware,
  largestBatch,
  linearPlacement,
  type ModelMemory,
  memoryBoundTokensPerSecond,
  paretoFront,
  type StorageFormat,
  stragglerFactor,
  sweepExpertParallel,
  throughputAndMemory,
} from '../index.js'

/** What is asked for. */
export interface CostQuestion {
  readonly memory: ModelMemory
  readonly hardware: Hardware
  readonly contextTokens: number
  readonly batchPerRank: number
  readonly weights: StorageFormat
  /** What is multiplied and sent to the experts; they answer in bf16. */
  readonly activations: StorageFormat
  /** Measured loads, [E] a layer; fair routing without. */
  readonly loads?: readonly ArrayLike<number>[]
}

interface DecodeRow extends DecodeBytes {
  readonly batch: number
  /** Of the first mixture-of-experts layer. */
  readonly distinctExperts: number
  readonly tokensPerSecondAtMost: number
}

interface RankRow extends ExpertParallelPoint {
  readonly devicesPerToken: number
  /** One layer, both ways, of what leaves the device. */
  readonly bytesPerToken: number
  /** Largest over mean load; by chance of as many tokens as were counted, or as decode together. */
  readonly straggler: number
  readonly stragglerByChance: number
  readonly fits: boolean
}

export interface CostFigures {
  readonly largestBatch: number
  /** Tokens of a step from which experts take longer to multiply than to read. */
  readonly computeBoundTokens: number
  readonly decode: readonly DecodeRow[]
  readonly ranks: readonly RankRow[]
  readonly front: readonly ExpertParallelPoint[]
}

const usableShare = 0.9
const batches = [1, 8, 16, 32, 64, 128, 256, 512, 1024]

export function costFigures(question: CostQuestion): CostFigures {
  const { memory, hardware, contextTokens, batchPerRank, weights, activations, loads } = question
  const [first] = memory.experts
  const fits = largestBatch(memory, hardware, { contextTokens, usableShare })
  const asked = fits > 0 ? [...batches.filter((batch) => batch < fits), fits] : []
  const vectors = { dispatch: activations, combine: 'bf16' } as const
  const setup = { model: memory, hardware, contextTokens, activations, ...vectors }
  const sizes = commonDivisors(memory.experts.map(({ numExperts }) => numExperts))
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
    ranks: sizes.map((ranks) => {
      const { straggler, stragglerByChance } = loads
        ? counted(loads, first, ranks)
        : uncounted(first, ranks, ranks * batchPerRank)
      const point = expertParallelDecode({ ...setup, ranks, batchPerRank, straggler })
      return {
        ...point,
        devicesPerToken: expectedGroupsTouched({ ...first, groups: ranks }),
        bytesPerToken: expectedBytesPerToken({ ...first, groups: ranks, ...vectors }),
        straggler,
        stragglerByChance,
        fits: point.memoryBytesPerRank <= usableShare * hardware.memoryBytes,
      }
    }),
    front: paretoFront(
      sizes.flatMap((ranks) => {
        const measured = loads && { straggler: counted(loads, first, ranks).straggler }
        return sweepExpertParallel({ ...setup, ...measured, ranks: [ranks], batches, usableShare })
      }),
      throughputAndMemory,
    ),
  }
}

/** The sizes over which the experts of every layer spread evenly. */
function commonDivisors(counts: readonly number[]): number[] {
  const least = counts.reduce((a, b) => Math.min(a, b))
  const sizes = Array.from({ length: least }, (_, i) => i + 1)
  return sizes.filter((size) => counts.every((count) => count % size === 0))
}

interface Stragglers {
  readonly straggler: number
  readonly stragglerByChance: number
}

function uncounted({ numExperts, topK }: ExpertLayers, ranks: number, tokens: number): Stragglers {
  const straggler = expectedStraggler({ numExperts, topK, ranks, tokens })
  return { straggler, stragglerByChance: straggler }
}

/** Experts side by side, and what chance would make of as many tokens; both the mean over layers. */
function counted(loads: readonly ArrayLike<number>[], layer: ExpertLayers, ranks: number): Stragglers {
  const { numExperts, topK } = layer
  const found = loads.map((load) => {
    const rule = `cost: the loads must be those of ${numExperts} experts, as the model has`
    demand(load.length === numExperts, rule, load.length, 'Name the preset that was measured.')
    const tokens = Math.round(Array.from(load).reduce((sum, count) => sum + count, 0) / topK)
    return {
      straggler: stragglerFactor(load, linearPlacement(load, { replicas: numExperts, ranks }), ranks),
      stragglerByChance: uncounted(layer, ranks, tokens).straggler,
    }
  })
  const mean = (of: keyof Stragglers): number => found.reduce((sum, one) => sum + one[of], 0) / found.length
  return { straggler: mean('straggler'), stragglerByChance: mean('stragglerByChance') }
}
