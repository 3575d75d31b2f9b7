import { demandNothingElse } from '../../errors.js'
import { demandOneOf, demandSizes, demandTruth } from '../demands.js'
import { always, type Kind } from './kind.js'

/** Gated: down(activation(gate(x)) · up(x)), three matrices. Ungated: down(activation(up(x))), two. */
export interface FeedForward {
  /** swigluoai is the clamped one of gpt-oss, situ that of Kimi-K3. */
  readonly activation: 'relu' | 'relu2' | 'silu' | 'gelu' | 'swigluoai' | 'situ'
  readonly gated: boolean
  /** It reads the normed input of the sublayer before it, so has no norm of its own (LongCat's shortcut). */
  readonly sharesNorm?: true
}

export interface DenseMlp extends FeedForward {
  readonly kind: 'mlp'
  readonly width: number
}

export const mlp: Kind<Omit<DenseMlp, 'kind'>> = {
  check(at, { width, ...rest }) {
    demandSizes(at, { width })
    checkFeedForward(at, rest)
  },
  count({ width, gated }, hiddenSize) {
    return { denseMlp: always(feedForwardSize(gated, hiddenSize, width)) }
  },
}

export function checkFeedForward(at: string, { activation, gated, sharesNorm, ...rest }: FeedForward): void {
  demandNothingElse(at, rest)
  demandOneOf(`${at}.activation`, activation, ['relu2', 'silu', 'gelu', 'relu', 'swigluoai', 'situ'])
  demandTruth(`${at}.gated`, gated, 'Gated has three matrices, ungated two.')
  demandOneOf(`${at}.sharesNorm`, sharesNorm, [undefined, true])
}

/** The matrices between `outer`, the width it reads and writes, and its own `width`. */
export const feedForwardSize = (gated: boolean, outer: number, width: number): number =>
  (gated ? 3 : 2) * outer * width
