import type { ResolvedLayer } from './config.js'
import type { WeightName } from './weights.js'

/** One matrix [outputs, inputs] among the weights of a layer, with its bias where the layer has one. */
export interface Part {
  readonly weight: WeightName
  readonly bias?: WeightName | undefined
  /** Whose it is, where the weight holds one for each expert. */
  readonly expert: number
  readonly outputs: number
  readonly inputs: number
}

/** The matrices that a layer is computed with, the router apart. */
export interface Parts {
  /** Up, down and, where it is gated, the gate: of each routed expert. */
  readonly experts: readonly (readonly Part[])[]
  /** The same of the shared expert, and its gate for the token; empty lists where there is none. */
  readonly shared: readonly Part[]
  readonly sharedGate: readonly Part[]
  /** Down to the latent width, and up from it; empty lists where there is none. */
  readonly latentDown: readonly Part[]
  readonly latentUp: readonly Part[]
}

export function partsOf(layer: ResolvedLayer): Parts {
  const { hiddenSize: D, expertWidth: F, sharedWidth: S, latentWidth, gated, expertBiases } = layer
  const I = latentWidth || D
  const one = (weight: WeightName, outputs: number, inputs: number): Part[] => [
    { weight, expert: 0, outputs, inputs },
  ]
  const ofExpert = (weight: WeightName, expert: number, outputs: number, inputs: number): Part => {
    const bias = expertBiases ? (`${weight}Bias` as WeightName) : undefined
    return { weight, bias, expert, outputs, inputs }
  }
  return {
    experts: Array.from({ length: layer.router.numExperts }, (_, expert) => [
      ofExpert('upProj', expert, F, I),
      ofExpert('downProj', expert, I, F),
      ...(gated ? [ofExpert('gateProj', expert, F, I)] : []),
    ]),
    shared:
      S === 0
        ? []
        : [
            ...one('sharedUpProj', S, D),
            ...one('sharedDownProj', D, S),
            ...(gated ? one('sharedGateProj', S, D) : []),
          ],
    sharedGate: layer.sharedGate ? one('sharedExpertGate', 1, D) : [],
    latentDown: latentWidth === 0 ? [] : one('latentDown', I, D),
    latentUp: latentWidth === 0 ? [] : one('latentUp', D, I),
  }
}
