import { demand } from '../errors.js'
import type { StorageFormat } from '../model/storage.js'

/** One device of a cluster, as its maker describes it: peaks, which no kernel reaches. A record of your own is one of these. */
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
  readonly sources: readonly string[]
}

const hopper = {
  memoryBytes: 80e9,
  memoryBytesPerSecond: 3.35e12,
  flopsPerSecond: { bf16: 989.5e12, fp8: 1979e12 },
  ranksPerNode: 8,
  linkBytesPerSecond: 450e9,
  networkBytesPerSecond: 50e9,
}

const sheet = 'dense rates: half of those the sheet gives with sparsity; link: half of both directions'
const ndr = 'network: one 400 Gb/s port for each device, as in NVIDIA DGX systems'

export const hardware: Readonly<Record<'h100' | 'h200' | 'h800' | 'b200' | 'gb200', Hardware>> = {
  h100: { name: 'H100 SXM', ...hopper, sources: [`NVIDIA H100 data sheet; ${sheet}`, ndr] },
  h200: {
    ...hopper,
    name: 'H200 SXM',
    memoryBytes: 141e9,
    memoryBytesPerSecond: 4.8e12,
    sources: [`NVIDIA H200 data sheet; ${sheet}`, ndr],
  },
  h800: {
    ...hopper,
    name: 'H800 SXM',
    linkBytesPerSecond: 200e9,
    sources: [
      'H100 with NVLink at 400 GB/s for both directions; DeepSeek-V3, arXiv 2412.19437, reaches 160 GB/s one way',
      'network: 50 GB/s, arXiv 2412.19437',
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
    sources: [`NVIDIA Blackwell data sheet, HGX B200 at 1,000 W; ${sheet}`, ndr],
  },
  gb200: {
    name: 'GB200 NVL72',
    memoryBytes: 186e9,
    memoryBytesPerSecond: 8e12,
    flopsPerSecond: { bf16: 2500e12, fp8: 5000e12, fp4: 10000e12 },
    ranksPerNode: 72,
    linkBytesPerSecond: 900e9,
    networkBytesPerSecond: 50e9,
    sources: [`NVIDIA GB200 NVL72 data sheet, a 72nd of the rack; ${sheet}`, ndr],
  },
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
  return rate
}
