/** Contenders must give the same before they are timed. */
import { sigmoid } from 'moesim'

export interface RouteResult {
  /** [T, K], each at every `stride`-th word. */
  readonly experts: Int32Array
  readonly stride?: number
  readonly weights: Float32Array
  readonly bias: Float32Array
}

export interface Given {
  readonly numExperts: number
  readonly topK: number
  readonly logits: Float32Array
  readonly bias: Float32Array
}

/**
 * Throws unless `made` has the experts, weights and next bias of `wanted`. Another expert passes only where its key is
 * the same within the rounding of float32, for an engine's own sigmoid may break such a tie the other way.
 */
export function agree(name: string, given: Given, wanted: RouteResult, made: RouteResult): void {
  const { numExperts, topK, logits, bias } = given
  const { stride = 1 } = made
  const key = (token: number, e: number): number => sigmoid(logits[token * numExperts + e]) + bias[e]
  let ties = 0
  for (let slot = 0; slot < wanted.experts.length; slot++) {
    const token = Math.floor(slot / topK)
    const [one, other] = [wanted.experts[slot], made.experts[slot * stride]]
    if (one !== other) {
      const tied = Math.abs(key(token, one) - key(token, other)) < 2.5e-7
      demandSame(tied, name, `token ${token} goes to expert ${other} instead of ${one}`)
      ties++
    } else {
      const close = Math.abs(wanted.weights[slot] - made.weights[slot]) < 1e-5
      demandSame(
        close,
        name,
        `token ${token} has weight ${made.weights[slot]} instead of ${wanted.weights[slot]}`,
      )
    }
  }
  const moved = wanted.bias.findIndex((value, e) => Math.abs(value - made.bias[e]) > 1e-6)
  demandSame(moved < 0 || ties > 0, name, `the next bias of expert ${moved} is another`)
}

/** Throws unless the outputs are as close as float32 sums in another order are. */
export function agreeOnOutputs(name: string, wanted: Float32Array, made: Float32Array): void {
  const far = wanted.reduce((most, value, i) => Math.max(most, Math.abs(value - made[i])), 0)
  demandSame(far < 1e-3, name, `its output is ${far} away`)
}

function demandSame(holds: boolean, name: string, finding: string): void {
  if (!holds) throw new Error(`${name} disagrees with moesim: ${finding}`)
}
