import { type Instance, type KernelModule, kernelModule } from './instance.js'
import { routingWasm } from './routing-wasm.js'

/** What ./assembly/routing-module.ts exports: scoring, routing and drawing. */
export interface RoutingExports {
  readonly scratchBytes: WebAssembly.Global
  plan(
    numExperts: number,
    topK: number,
    scoreKind: number,
    normalize: number,
    scale: number,
    epsilon: number,
    numGroups: number,
    topGroups: number,
    groupScoreTop: number,
    bias: number,
    thresholds: number,
    cutKeys: number,
    scratch: number,
    load: number,
  ): void
  cut(count: number, first: number, top: number): void
  route(rows: number, tokens: number, experts: number, weights: number, kths: number, tops: number): number
  scores(
    rows: number,
    count: number,
    width: number,
    kind: number,
    masked: number,
    out: number,
    powers: number,
  ): number
  seek(key: number, step: number, layer: number, tables: number): void
  normals(
    token: number,
    count: number,
    width: number,
    means: number,
    spread: number,
    words: number,
    out: number,
  ): void
}

export type RoutingInstance = Instance<RoutingExports>

export const routingModule: KernelModule<RoutingExports> = /* @__PURE__ */ kernelModule(routingWasm)
