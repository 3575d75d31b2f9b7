import { demand, demandNothingElse, demandWhole } from '../errors.js'
import { demandHardware, exchangeFields, type Hardware } from './hardware.js'

export interface AllToAll {
  /** [R, R] from source to destination; the diagonal stays where it is. */
  readonly bytes: Float64Array
  readonly hardware: Pick<
    Hardware,
    'ranksPerNode' | 'linkBytesPerSecond' | 'networkBytesPerSecond' | 'latencySeconds'
  >
  /** α, of one step; that of the hardware unless given. */
  readonly latencySeconds?: number | undefined
  /** Steps one after another: 1 unless given, where all is sent at once; R − 1 of a pairwise exchange. */
  readonly steps?: number | undefined
}

/**
 * α–β time of an all-to-all: α · steps + the time of the busiest port, of what it sends or receives. Ranks of one node
 * use the fast link, others the network, at the same time. Where nothing leaves its rank it takes no time.
 *
 * No all-to-all with these α and β is faster. Left out, all of which slow it down: contention in switches, the rate of
 * small messages, packing, and the processors that a copy takes from the computation.
 */
export function allToAllSeconds({ bytes, hardware, ...options }: AllToAll): number {
  const ranks = Math.sqrt(bytes.length)
  const { latencySeconds = hardware.latencySeconds ?? 0, steps = 1, ...rest } = options
  demandNothingElse('allToAllSeconds: the options', rest)
  demandHardware('allToAllSeconds', hardware, ...exchangeFields)
  demandWhole('allToAllSeconds: the root of the length of bytes', ranks, 1, 1 << 14, 'Give a matrix [R, R].')
  const holds = latencySeconds >= 0 && latencySeconds < Infinity
  demand(holds, 'allToAllSeconds: latencySeconds must be a number of at least 0', latencySeconds, 'Use 1e-6.')
  demandWhole('allToAllSeconds: steps', steps, 0, 1 << 20, 'Use R − 1 for a pairwise exchange.')
  const { ranksPerNode, linkBytesPerSecond, networkBytesPerSecond } = hardware
  // Out and in of each rank, to ranks of its node and beyond.
  const ports = Array.from({ length: 4 }, () => new Float64Array(ranks))
  const [nearOut, nearIn, farOut, farIn] = ports
  for (let from = 0; from < ranks; from++) {
    for (let to = 0; to < ranks; to++) {
      if (from === to) continue
      const near = Math.floor(from / ranksPerNode) === Math.floor(to / ranksPerNode)
      const sent = bytes[from * ranks + to]
      ;(near ? nearOut : farOut)[from] += sent
      ;(near ? nearIn : farIn)[to] += sent
    }
  }
  const busiest = (some: readonly Float64Array[]): number =>
    some.reduce((most, port) => port.reduce((a, b) => Math.max(a, b), most), 0)
  const transfer = Math.max(
    busiest([nearOut, nearIn]) / linkBytesPerSecond,
    busiest([farOut, farIn]) / networkBytesPerSecond,
  )
  return transfer === 0 ? 0 : latencySeconds * steps + transfer
}
