import { demand } from '../errors.js'
import { bytesIn, type StorageFormat } from '../model/storage.js'
import { demandHardware, flopsPerSecondIn, type Hardware } from './hardware.js'

/** The matrices of one expert: two of width · expertWidth, or three where it is gated. */
export interface ExpertShape {
  /** D, or the latent width. */
  readonly width: number
  readonly expertWidth: number
  readonly gated: boolean
}

export interface GemmFormats {
  readonly weights: StorageFormat
  /** What is multiplied, read and written; it sets the rate of computation. */
  readonly activations: StorageFormat
}

export interface Roofline {
  readonly flops: number
  readonly weightBytes: number
  readonly activationBytes: number
  readonly computeSeconds: number
  readonly memorySeconds: number
  /** The greater of the two: no kernel is faster. */
  readonly seconds: number
}

/**
 * The experts of one rank in one layer, as a function of its assignments and of how many of its experts have any.
 *
 * Each touched expert's weights are read once; an assignment reads and writes a vector of `width`, and one of
 * `expertWidth` between the matrices. A lower bound of the time, for both peaks at once and whole tiles; left out:
 * launches, padding of an expert's rows to a tile, the activation function and the permutation.
 */
export function expertGemms(
  work: ExpertShape &
    GemmFormats & { readonly assignments: number; readonly experts: number; readonly hardware: Hardware },
): Roofline {
  const { assignments, experts, hardware, weights, activations } = work
  const who = 'expertGemms'
  demandHardware(who, hardware, 'memoryBytesPerSecond')
  for (const [name, count] of Object.entries({ assignments, experts }))
    demand(
      count >= 0 && count < Infinity,
      `${who}: ${name} must be a number of at least 0`,
      count,
      'It may be a mean.',
    )
  const flops = 2 * sizeOf(work) * assignments
  const weightBytes = experts * sizeOf(work) * bytesIn(who, weights)
  const activationBytes = assignments * vectorsOf(work) * bytesIn(who, activations)
  const computeSeconds = flops / flopsPerSecondIn(hardware, activations)
  const memorySeconds = (weightBytes + activationBytes) / hardware.memoryBytesPerSecond
  const seconds = Math.max(computeSeconds, memorySeconds)
  return { flops, weightBytes, activationBytes, computeSeconds, memorySeconds, seconds }
}

/**
 * Tokens of one expert (or of a dense layer) from which its matrices take longer to multiply than to read:
 * flops / bandwidth · bytes of a weight / 2, of weights alone. The same in fp8 and bf16, whose rates are as their bytes.
 */
export function computeBoundTokens(hardware: Hardware, { weights, activations }: GemmFormats): number {
  demandHardware('computeBoundTokens', hardware, 'memoryBytesPerSecond')
  return (ridgeOf(hardware, activations) * bytesIn('computeBoundTokens', weights)) / 2
}

/** The same with the traffic of activations; Infinity where that alone takes longer than the multiplication. */
export function computeBoundTokensOf(hardware: Hardware, expert: ExpertShape & GemmFormats): number {
  const who = 'computeBoundTokensOf'
  demandHardware(who, hardware, 'memoryBytesPerSecond')
  const perToken = (2 * sizeOf(expert)) / ridgeOf(hardware, expert.activations)
  const spare = perToken - vectorsOf(expert) * bytesIn(who, expert.activations)
  return spare > 0 ? (sizeOf(expert) * bytesIn(who, expert.weights)) / spare : Infinity
}

/** Operations that pass while one byte is read: the ridge of the roofline. */
const ridgeOf = (hardware: Hardware, format: StorageFormat): number =>
  flopsPerSecondIn(hardware, format) / hardware.memoryBytesPerSecond

const sizeOf = ({ width, expertWidth, gated }: ExpertShape): number => (gated ? 3 : 2) * width * expertWidth

const vectorsOf = ({ width, expertWidth }: ExpertShape): number => 2 * (width + expertWidth)
