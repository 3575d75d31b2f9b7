import { demand } from '../errors.js'
import type { Routing } from '../router/routing.js'
import { sum } from '../stats.js'
import { compared } from './agreement.js'

/** How far two routings of the same tokens through all layers agree. */
export interface LayersAgreement {
  /** A router here is one token at one layer; the share of those that choose another set. */
  readonly differingRouterShare: number
  /** Share of the slots of `a` whose expert `b` does not choose for that token. */
  readonly differingSlotShare: number
  /** Share of tokens that are routed otherwise at one layer or more. */
  readonly touchedTokenShare: number
}

/**
 * Compares two runs layer by layer, such as training and rollout. Source: R3, arXiv 2510.11370, which finds some 10 % of
 * routers to differ between two engines, and 94 % of tokens touched. Throws an InputError where layers or tokens differ
 * in number.
 */
export function agreementOfLayers(a: readonly Routing[], b: readonly Routing[]): LayersAgreement {
  demand(
    a.length === b.length && a.length > 0,
    `agreementOfLayers: both must have the same layers, at least one, here ${a.length}`,
    b.length,
    'Give one routing a layer, in order.',
  )
  const { tokens } = a[0]
  const touched = new Uint8Array(tokens)
  let routers = 0
  let slots = 0
  let differingSlots = 0
  a.forEach((ours, layer) => {
    const { differing, differingTokens, filled, differingSlots: changed } = compared(ours, b[layer])
    demand(
      ours.tokens === tokens,
      `agreementOfLayers: every layer must route the same ${tokens} tokens`,
      ours.tokens,
      'Route one batch through all layers.',
    )
    routers += differingTokens
    slots += filled
    differingSlots += changed
    differing.forEach((differs, token) => {
      touched[token] |= differs
    })
  })
  return {
    differingRouterShare: routers / Math.max(1, tokens * a.length),
    differingSlotShare: differingSlots / Math.max(1, slots),
    touchedTokenShare: sum(touched) / Math.max(1, tokens),
  }
}
