import { demand, demandWhole } from '../../errors.js'
import { demandOneOf, demandSizes, demandTruth } from '../demands.js'
import { checkRouter, type RouterConfig } from '../router-config.js'
import { checkFeedForward, type FeedForward, feedForwardSize } from './feed-forward.js'
import { always, type Kind } from './kind.js'

/** A router, E routed experts of which a token uses K, and S shared experts that every token uses. */
export interface MixtureOfExperts extends FeedForward {
  readonly kind: 'moe'
  readonly router: RouterConfig
  /** The router stores a bias [E] for selection, which balances the load and never reaches the output. */
  readonly correctionBias: boolean
  /** F, the width of one routed expert. */
  readonly expertWidth: number
  /** S, 0 for none. Checkpoints often store them as one MLP of width sharedExperts · sharedExpertWidth, the same sum. */
  readonly sharedExperts: number
  /** The width of one shared expert, 0 where there is none. */
  readonly sharedExpertWidth: number
  /** The shared experts' output is scaled by a gate [D]. */
  readonly sharedGate?: true
  /** LatentMoE: routed experts read and write this width, behind one projection down and one up; D unless given. */
  readonly latentWidth?: number
  /** An RMSNorm of that width. */
  readonly latentNorm?: true
  /** The router's matrix has a bias [E] that is part of its logits (gpt-oss), unlike the correction bias. */
  readonly routerBias?: true
  /** The matrices of the routed experts have biases. */
  readonly expertBiases?: true
  /** A bias [D] after the experts. It counts as `norms`, the vectors of a layer. */
  readonly outputBias?: true
  /** So many of the router's E are no experts: a token that chooses one does nothing there (LongCat); 0 unless given. */
  readonly zeroExperts?: number
  /** Experts are chosen by the token's id from a fixed table, and only weighed by score (DeepSeek-V4's first layers). */
  readonly hashed?: true
}

export const moe: Kind<Omit<MixtureOfExperts, 'kind'>> = {
  check(at, { router, correctionBias, expertWidth, sharedExperts, sharedExpertWidth, ...options }) {
    const { latentWidth = 1, zeroExperts = 0, sharedGate, latentNorm, routerBias, ...more } = options
    const { expertBiases, outputBias, hashed, ...rest } = more
    checkRouter(`${at}.router`, `${at}.router.`, router)
    demandTruth(`${at}.correctionBias`, correctionBias, 'True where the router stores a bias for selection.')
    demandSizes(at, { expertWidth, latentWidth })
    demandSizes(at, { sharedExperts, sharedExpertWidth }, 0)
    demand(
      (sharedExperts === 0) === (sharedExpertWidth === 0),
      `${at}.sharedExpertWidth must be 0 with no shared experts and only then; sharedExperts = ${sharedExperts}`,
      sharedExpertWidth,
      'It is the width of one shared expert.',
    )
    const remedy = 'They are some of numExperts.'
    demandWhole(`${at}.zeroExperts`, zeroExperts, 0, router.numExperts - 1, remedy)
    const switches = { sharedGate, latentNorm, routerBias, expertBiases, outputBias, hashed }
    for (const [name, value] of Object.entries(switches)) {
      demandOneOf(`${at}.${name}`, value, [undefined, true])
    }
    checkFeedForward(at, rest)
  },

  /**
   * E experts of width F on D, or on the latent width l behind two projections of D · l; shared experts and router
   * [D, E] on D. With zero experts, a token reads those of its K that are real when every expert is chosen equally
   * often. Source: NemotronHMOE of Hugging Face transformers; arXiv 2512.20856 for LatentMoE.
   */
  count(fields, hiddenSize) {
    const { router, expertWidth, sharedExperts, sharedExpertWidth, latentWidth, gated } = fields
    const { numExperts, topK } = router
    const real = numExperts - (fields.zeroExperts ?? 0)
    const outer = latentWidth ?? hiddenSize
    const biases = fields.expertBiases ? expertWidth * (gated ? 2 : 1) + outer : 0
    const expert = feedForwardSize(gated, outer, expertWidth) + biases
    const shared = sharedExperts * feedForwardSize(gated, hiddenSize, sharedExpertWidth)
    const latent = 2 * hiddenSize * (latentWidth ?? 0)
    return {
      routedExperts: { total: real * expert, active: Math.round(((topK * real) / numExperts) * expert) },
      sharedExperts: always(shared + (fields.sharedGate ? hiddenSize : 0)),
      latentProj: always(latent + (fields.latentNorm ? outer : 0)),
      router: always((hiddenSize + (fields.routerBias ? 1 : 0)) * numExperts),
      routerBias: always(fields.correctionBias ? numExperts : 0),
      norms: always(fields.outputBias ? hiddenSize : 0),
    }
  },
}
