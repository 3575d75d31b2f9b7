import { demand } from '../errors.js'

/** How a number is stored. The block formats hold one scale for each block of numbers. */
export type StorageFormat = 'fp32' | 'bf16' | 'fp16' | 'fp8' | 'fp8-block128' | 'mxfp8' | 'mxfp4' | 'nvfp4'

/** Bytes of a number, its share of the scale of a block included; the scale of a whole tensor is not. */
export const storageBytes: Readonly<Record<StorageFormat, number>> = {
  fp32: 4,
  bf16: 2,
  fp16: 2,
  fp8: 1,
  /** One float32 scale for 128 numbers: DeepSeek-V3's weights and activations, DeepEP's dispatch. */
  'fp8-block128': 1.03125,
  /** One byte of scale for 32 numbers. OCP microscaling formats. */
  mxfp8: 1.03125,
  mxfp4: 0.53125,
  /** One byte of scale for 16 numbers. */
  nvfp4: 0.5625,
}

/** Bytes of a number in a format. Refuses what is none; `who` asks. */
export function bytesIn(who: string, format: StorageFormat): number {
  const rule = `${who}: a format must be one of ${Object.keys(storageBytes).join(', ')}`
  demand(Object.hasOwn(storageBytes, format), rule, format, 'Choose one of these.')
  return storageBytes[format]
}
