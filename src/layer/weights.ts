import { demand } from '../errors.js'
import type { Streams } from '../random.js'
import { type LayerConfig, resolveLayer } from './config.js'

/**
 * Every weight that a layer can have. `gateProj`, `upProj` and `downProj` hold all routed experts, one after another;
 * I is the width they read and write: D, or the latent width.
 */
export type WeightName =
  | 'router' // [E, D]
  | 'routerBias' // [E], part of the logits
  | 'correctionBias' // [E], for selection only
  | 'gateProj' // [E, F, I], as upProj
  | 'upProj'
  | 'downProj' // [E, I, F]
  | 'gateProjBias' // [E, F], as upProjBias
  | 'upProjBias'
  | 'downProjBias' // [E, I]
  | 'sharedGateProj' // [S, D], as sharedUpProj
  | 'sharedUpProj'
  | 'sharedDownProj' // [D, S]
  | 'sharedExpertGate' // [D]
  | 'latentDown' // [I, D]
  | 'latentUp' // [D, I]

/** The weights of one layer, row-major as [out, in]. */
export type LayerWeights = { readonly [name in WeightName]?: Float32Array }

/** The shapes of the weights that such a layer has, and of no others. Throws an InputError on a bad config. */
export function weightShapes(config: LayerConfig): { [name in WeightName]?: readonly number[] } {
  const layer = resolveLayer(config)
  const { hiddenSize: D, expertWidth: F, sharedWidth: S, latentWidth, gated, expertBiases } = layer
  const E = layer.router.numExperts
  const I = latentWidth || D
  return {
    router: [E, D],
    ...(layer.routerBias && { routerBias: [E] }),
    ...(layer.correctionBias && { correctionBias: [E] }),
    ...(gated && { gateProj: [E, F, I] }),
    upProj: [E, F, I],
    downProj: [E, I, F],
    ...(gated && expertBiases && { gateProjBias: [E, F] }),
    ...(expertBiases && { upProjBias: [E, F], downProjBias: [E, I] }),
    ...(S > 0 && gated && { sharedGateProj: [S, D] }),
    ...(S > 0 && { sharedUpProj: [S, D], sharedDownProj: [D, S] }),
    ...(layer.sharedGate && { sharedExpertGate: [D] }),
    ...(latentWidth > 0 && { latentDown: [I, D], latentUp: [D, I] }),
  }
}

/** The shapes as a list, in the order of `WeightName`. */
export const weightList = (config: LayerConfig): [WeightName, readonly number[]][] =>
  Object.entries(weightShapes(config)) as [WeightName, readonly number[]][]

export const sizeOf = (shape: readonly number[]): number => shape.reduce((size, length) => size * length, 1)

/** Throws an InputError unless `weights` are those of such a layer, with nothing missing and nothing over. */
export function checkWeights(weights: LayerWeights, config: LayerConfig): void {
  const shapes = weightShapes(config)
  for (const [name, shape] of weightList(config)) {
    const given = weights[name]
    demand(
      given instanceof Float32Array && given.length === sizeOf(shape),
      `layer: weight ${name} must be a Float32Array of [${shape}] values`,
      given,
      'Make the weights and the config of the layer agree.',
    )
  }
  const stray = Object.keys(weights).find((name) => !(name in shapes))
  demand(
    stray === undefined,
    'layer: there must be no weights but those that the config has',
    stray,
    'Name the part in the config, or leave its weight out.',
  )
}

/**
 * Weights to begin with: matrices N(0, 1 / inputs), so that outputs are as large as inputs, and biases of 0. Drawn from
 * streams of their own, 'weights/…', a row at a time: the rows of an expert do not depend on how many experts there are.
 */
export function randomWeights(config: LayerConfig, random: Streams, layer = 0): LayerWeights {
  return Object.fromEntries(
    weightList(config).map(([name, shape]) => {
      const values = new Float32Array(sizeOf(shape))
      if (/Bias$/.test(name)) return [name, values]
      const inputs = shape[shape.length - 1]
      const row = new Float64Array(inputs)
      const draws = random(`weights/${name}`, layer)
      for (let at = 0; at < values.length; at += inputs) {
        draws.at(at / inputs).normals(row)
        for (let i = 0; i < inputs; i++) values[at + i] = row[i] / Math.sqrt(inputs)
      }
      return [name, values]
    }),
  )
}
