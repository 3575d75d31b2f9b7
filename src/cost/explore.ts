import { demand } from '../errors.js'
import {
  type ExpertParallelDecode,
  type ExpertParallelPoint,
  expertParallelDecode,
} from './expert-parallel.js'
import { demandHardware } from './hardware.js'

export interface Sweep extends Omit<ExpertParallelDecode, 'ranks' | 'batchPerRank'> {
  /** Sizes of expert parallelism to try. */
  readonly ranks: readonly number[]
  /** Sequences of one rank to try. */
  readonly batches: readonly number[]
  /** Share of a device's memory that may be used; 0.9 unless given. */
  readonly usableShare?: number
}

/**
 * Every size with every batch, those left out that no memory holds. See `expertParallelDecode` for what a point leaves out:
 * larger sizes read fewer weights on each rank and send more, beyond a node over the network, after its latency. Measured
 * loads are of one number of ranks: sweep one at a time with them.
 */
export function sweepExpertParallel({
  ranks,
  batches,
  usableShare = 0.9,
  ...setup
}: Sweep): ExpertParallelPoint[] {
  demandHardware('sweepExpertParallel', setup.hardware, 'memoryBytes')
  const holds = usableShare > 0 && usableShare <= 1
  demand(holds, 'sweepExpertParallel: usableShare must be above 0, and 1 at most', usableShare, 'Use 0.9.')
  const most = usableShare * setup.hardware.memoryBytes
  return ranks
    .flatMap((size) =>
      batches.map((batchPerRank) => expertParallelDecode({ ...setup, ranks: size, batchPerRank })),
    )
    .filter(({ memoryBytesPerRank }) => memoryBytesPerRank <= most)
}

/**
 * The points that no other beats: none is at least as good in every gain and better in one. Of equal points all stay.
 * A gain is what one wants more of; of bytes or seconds take the negative.
 */
export function paretoFront<P>(points: readonly P[], gains: readonly ((point: P) => number)[]): P[] {
  const beats = (a: P, b: P): boolean =>
    gains.every((gain) => gain(a) >= gain(b)) && gains.some((gain) => gain(a) > gain(b))
  return points.filter((point) => !points.some((other) => beats(other, point)))
}

/** The front of throughput of a rank, at most, against memory of a rank, at least. */
export const throughputAndMemory: readonly ((point: ExpertParallelPoint) => number)[] = [
  (point) => point.tokensPerSecondPerRank,
  (point) => -point.memoryBytesPerRank,
]
