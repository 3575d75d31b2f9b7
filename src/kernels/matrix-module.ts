import { type Instance, type KernelModule, kernelModule } from './instance.js'
import { matrixWasm } from './matrix-wasm.js'

/** What ./assembly/matrix-module.ts exports: linear maps and experts. */
export interface MatrixExports {
  pack(rows: number, packed: number, inputs: number): number
  linear(
    rows: number,
    stride: number,
    places: number,
    packed: number,
    bias: number,
    out: number,
    count: number,
    inputs: number,
    panels: number,
  ): void
  sparse(
    rows: number,
    stride: number,
    entries: number,
    packed: number,
    bias: number,
    out: number,
    count: number,
    inputs: number,
    panels: number,
  ): void
  gather(inputs: number, places: number, factors: number, rows: number, count: number, width: number): void
  activate(curve: number, gated: number, gate: number, up: number, count: number): void
  combine(
    rows: number,
    places: number,
    weights: number,
    out: number,
    count: number,
    slots: number,
    width: number,
  ): void
}

export type MatrixInstance = Instance<MatrixExports>

export const matrixModule: KernelModule<MatrixExports> = /* @__PURE__ */ kernelModule(matrixWasm)
