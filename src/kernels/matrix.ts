import type { Activation } from './activations.js'

/** A weight [O, I] and its bias, packed: panels [W/16, I, 16] of its outputs, filled up with 0, then the bias [W]. */
export interface Matrix {
  readonly packed: Float32Array
  /** I, the width that it reads. */
  readonly inputs: number
  /** W, the width that it writes: `padded(O)`. */
  readonly width: number
  /** The weight is known to hold neither ∞ nor NaN. */
  readonly finite: boolean
}

/** What a layer is computed with. All work on `areas`, whose rows are padded to a multiple of 16 floats. */
export interface MatrixKernels {
  /**
   * Areas of so many floats each, one after another; what they hold is undefined. They replace those of the call before,
   * but a first area of the same length as then still holds what it held.
   */
  areas<Name extends string>(lengths: Readonly<Record<Name, number>>): Record<Name, Float32Array>
  /**
   * Packs a weight [O, I] and its bias, which need not be areas, into `packedLength` floats of one; `stage` is another of
   * 16 · I floats.
   */
  pack(
    weight: Float32Array,
    bias: Float32Array | undefined,
    packed: Float32Array,
    inputs: number,
    stage: Float32Array,
  ): Matrix
  /**
   * x·Wᵀ + b of `count` rows that are `stride` floats apart: those at `places`, or the first ones. Each product and each sum
   * is rounded to float32, in order over I and the bias last.
   */
  linear(
    rows: Float32Array,
    stride: number,
    matrix: Matrix,
    out: Float32Array,
    count: number,
    places?: Int32Array,
  ): void
  /**
   * `linear` of the first rows, faster where they hold many zeros; `entries` is an area with room for 2 · (I + 1) floats a
   * row.
   */
  sparse(
    rows: Float32Array,
    stride: number,
    matrix: Matrix,
    out: Float32Array,
    count: number,
    entries: Float32Array,
  ): void
  /** Row r of `rows` becomes factors[r] · inputs[places[r]]; there are as many as `places`. */
  gather(
    inputs: Float32Array,
    places: Int32Array,
    factors: Float32Array,
    rows: Float32Array,
    width: number,
  ): void
  /** Hidden units of gates and ups, into `up`: float64 inside, rounded once. */
  activate(activation: Activation, gated: boolean, gate: Float32Array, up: Float32Array): void
  /**
   * Row t of `out` becomes Σ weights[t, k] · rows[places[t, k]] over `slots` slots in order, in float64, rounded once, for
   * `count` rows. A place of −1 adds nothing.
   */
  combine(
    rows: Float32Array,
    places: Int32Array,
    weights: Float32Array,
    out: Float32Array,
    count: number,
    slots: number,
    width: number,
  ): void
}

/** Outputs of a panel: four vectors of four lanes. */
export const panel = 16

export const padded = (width: number): number => Math.ceil(width / panel) * panel

/** Floats of a packed weight [O, I] with its bias. */
export const packedLength = (outputs: number, inputs: number): number => padded(outputs) * (inputs + 1)

/** An area as whole numbers, such as places of rows. */
export const wholes = (area: Float32Array): Int32Array =>
  new Int32Array(area.buffer, area.byteOffset, area.length)

/** Copies rows `stride` floats apart into rows `toStride` apart, as many as both hold and as wide as the narrower ones. */
export function copyRows(from: Float32Array, stride: number, to: Float32Array, toStride: number): void {
  const count = Math.min(Math.floor(from.length / stride), Math.floor(to.length / toStride))
  const alike = stride === toStride // then one copy does
  const width = alike ? count * stride : Math.min(stride, toStride)
  for (let row = 0; row < (alike ? 1 : count); row++) {
    to.set(from.subarray(row * stride, row * stride + width), row * toStride)
  }
}

/** A record of areas with the names of their lengths. */
export const byName = <Name extends string>(
  lengths: Readonly<Record<Name, number>>,
  area: (length: number, i: number) => Float32Array,
): Record<Name, Float32Array> =>
  Object.fromEntries(
    Object.entries<number>(lengths).map(([name, length], i) => [name, area(length, i)]),
  ) as Record<Name, Float32Array>
