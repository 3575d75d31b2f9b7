import { demand, demandNothingElse, demandWhole } from '../errors.js'
import type { StorageFormat } from '../model/storage.js'

/**
 * One device of a cluster, as its maker describes it: peaks, which no kernel reaches. A record of your own is one of these;
 * functions that take it refuse sizes and rates that are none.
 */
export interface Hardware {
  readonly name: string
  readonly memoryBytes: number
  readonly memoryBytesPerSecond: number
  /** Dense matrix products, without structured sparsity: multiplications and additions each count. */
  readonly flopsPerSecond: { readonly bf16: number; readonly fp8: number; readonly fp4?: number }
  /** Devices that reach each other over the fast link. */
  readonly ranksPerNode: number
  /** Fast link of one device, one way. */
  readonly linkBytesPerSecond: number
  /** Network of one device, one way. */
  readonly networkBytesPerSecond: number
  /** α, of one exchange between devices whatever it carries; 0 unless given, which leaves the time of its bytes. */
  readonly latencySeconds?: number
  readonly sources: readonly string[]
}

const hopper = {
  memoryBytes: 80e9,
  memoryBytesPerSecond: 3.35e12,
  flopsPerSecond: { bf16: 989.5e12, fp8: 1979e12 },
  ranksPerNode: 8,
  linkBytesPerSecond: 450e9,
  networkBytesPerSecond: 50e9,
  latencySeconds: 40e-6,
}

const dense = 'its rates are with sparsity, twice the dense ones here; its link counts both directions'
const ndr = 'network: one 400 Gb/s port for each device, as in NVIDIA DGX systems'
const deepEp =
  'latency: what DeepEP’s low-latency dispatch (docs/legacy.md, H800, 8 to 256 ranks) takes beyond the time of its bytes, 40 to 50 µs'
const asHopper = `${deepEp}; taken over from Hopper, for want of a published one`
const page = (name: string): string => `https://www.nvidia.com/en-us/data-center/${name}/`

type Known = Readonly<Record<'h100' | 'h200' | 'h800' | 'b200' | 'gb200', Hardware>>

/** A function, which bundlers can leave out: spreads and texts of texts they must keep. */
function records(): Known {
  return {
    h100: { name: 'H100 SXM', ...hopper, sources: [`${page('h100')}: ${dense}`, ndr, deepEp] },
    h200: {
      ...hopper,
      name: 'H200 SXM',
      memoryBytes: 141e9,
      memoryBytesPerSecond: 4.8e12,
      sources: [`${page('h200')}: ${dense}`, ndr, deepEp],
    },
    h800: {
      ...hopper,
      name: 'H800 SXM',
      linkBytesPerSecond: 200e9,
      sources: [
        'an H100 with NVLink at 400 GB/s for both directions, of which one reaches 160 GB/s: DeepSeek-V3, arXiv 2412.19437',
        'network: 50 GB/s, arXiv 2412.19437',
        deepEp,
      ],
    },
    b200: {
      name: 'B200 (HGX)',
      memoryBytes: 180e9,
      memoryBytesPerSecond: 8e12,
      flopsPerSecond: { bf16: 2250e12, fp8: 4500e12, fp4: 9000e12 },
      ranksPerNode: 8,
      linkBytesPerSecond: 900e9,
      networkBytesPerSecond: 50e9,
      latencySeconds: 40e-6,
      sources: [`${page('dgx-b200')}, an eighth of the system, and ${page('hgx')}: ${dense}`, ndr, asHopper],
    },
    gb200: {
      name: 'GB200 NVL72',
      memoryBytes: 186e9,
      memoryBytesPerSecond: 8e12,
      flopsPerSecond: { bf16: 2500e12, fp8: 5000e12, fp4: 10000e12 },
      ranksPerNode: 72,
      linkBytesPerSecond: 900e9,
      networkBytesPerSecond: 50e9,
      latencySeconds: 40e-6,
      sources: [`${page('gb200-nvl72')}, a 72nd of the rack: ${dense}`, ndr, asHopper],
    },
  }
}

export const hardware: Known = /* @__PURE__ */ records()

/** What an exchange between devices reads of a record. */
export const exchangeFields = ['ranksPerNode', 'linkBytesPerSecond', 'networkBytesPerSecond'] as const

/** Refuses a record with a field of another kind or with sizes and rates that no device has; `who` asks, for the fields it uses. */
export function demandHardware(who: string, given: Partial<Hardware>, ...used: (keyof Hardware)[]): void {
  const { name, sources, flopsPerSecond, latencySeconds = 0, ranksPerNode, ...rates } = given
  const { memoryBytes, memoryBytesPerSecond, linkBytesPerSecond, networkBytesPerSecond, ...rest } = rates
  demandNothingElse(`${who}: the hardware`, rest)
  for (const field of used) {
    const value = given[field]
    const holds = typeof value === 'number' && value > 0 && value < Infinity
    const rule = `${who}: ${field} of the hardware must be a finite number above 0`
    demand(holds, rule, value, 'Take it from the data sheet, in bytes and seconds.')
  }
  const nodes = 'It is how many devices share the fast link.'
  if (used.includes('ranksPerNode'))
    demandWhole(`${who}: ranksPerNode of the hardware`, ranksPerNode, 1, 1 << 20, nodes)
  const holds = latencySeconds >= 0 && latencySeconds < Infinity
  const rule = `${who}: latencySeconds of the hardware must be a finite number of at least 0`
  demand(holds, rule, latencySeconds, 'Leave it out for none.')
}

/** The rate of matrix products whose operands are in this format. Throws an InputError where the device has none. */
export function flopsPerSecondIn({ name, flopsPerSecond }: Hardware, format: StorageFormat): number {
  const { bf16, fp8, fp4 } = flopsPerSecond
  const rates: Partial<Record<StorageFormat, number>> = {
    ...{ bf16, fp16: bf16, fp8, 'fp8-block128': fp8, mxfp8: fp8 },
    ...(fp4 !== undefined && { mxfp4: fp4, nvfp4: fp4 }),
  }
  const { [format]: rate } = rates
  const rule = `flopsPerSecondIn: ${name} must multiply in the format, one of ${Object.keys(rates).join(', ')}`
  demand(rate !== undefined, rule, format, 'Weights may be narrower than what they are multiplied in.')
  const holds = rate > 0 && rate < Infinity
  demand(
    holds,
    `flopsPerSecondIn: the rate of ${name} in ${format} must be a finite number above 0`,
    rate,
    'It is the dense one.',
  )
  return rate
}
