import { demandNothingElse } from '../../errors.js'
import { demandMultiple, demandSizes } from '../demands.js'
import { always, type Kind, type OperationsOf } from './kind.js'

/** A Mamba-2 mixer. Its inner width is numHeads · headDim, whatever an `expand` field of a checkpoint says. */
export interface Mamba2 {
  readonly kind: 'mamba2'
  readonly numHeads: number
  readonly headDim: number
  readonly stateSize: number
  /** Groups of heads that share their input and output projections of the state (B and C). */
  readonly numGroups: number
  /** Width of the short convolution over time, which has a bias. */
  readonly convKernel: number
}

export const mamba2: Kind<Omit<Mamba2, 'kind'>> = {
  check(at, { numHeads, headDim, stateSize, numGroups, convKernel, ...rest }) {
    demandNothingElse(at, rest)
    demandSizes(at, { numHeads, headDim, stateSize, numGroups, convKernel })
    demandMultiple(`${at}.numHeads`, numHeads, 'numGroups', numGroups)
  },

  /**
   * Projection in [D, 2I + 2GN + H], convolution and its bias (I + 2GN) · (kernel + 1), three vectors [H] (decay, skip,
   * time step), gated norm [I], projection out [I, D]; I = H · headDim for H heads, G groups and state size N. Source:
   * NemotronHMamba2Mixer of Hugging Face transformers; the totals of Nemotron 3 Nano and Super confirm it.
   */
  count({ numHeads, headDim, stateSize, numGroups, convKernel }, hiddenSize) {
    const inner = numHeads * headDim
    const convolved = inner + 2 * numGroups * stateSize
    const projections = hiddenSize * (inner + convolved + numHeads) + inner * hiddenSize
    return { mamba: always(projections + convolved * (convKernel + 1) + 3 * numHeads + inner) }
  },
}

/** 5 for each number of the state: decay 1, product of input and B 2, readout by C 2. */
export const mamba2Operations: OperationsOf<Mamba2> = ({ numHeads, headDim, stateSize }) => ({
  state: 5 * numHeads * headDim * stateSize,
})

/** A Mamba-1 mixer with RMSNorms on the time step and on both projections of the state, as Jamba has it. */
export interface Mamba1 {
  readonly kind: 'mamba1'
  /** I, the inner width. */
  readonly innerSize: number
  readonly stateSize: number
  /** Rank of the projection to the time step. */
  readonly timeStepRank: number
  /** Width of the short convolution over time, which has a bias. */
  readonly convKernel: number
}

export const mamba1: Kind<Omit<Mamba1, 'kind'>> = {
  check(at, { innerSize, stateSize, timeStepRank, convKernel, ...rest }) {
    demandNothingElse(at, rest)
    demandSizes(at, { innerSize, stateSize, timeStepRank, convKernel })
  },

  /**
   * Projection in [D, 2I], convolution and its bias I · (kernel + 1), I to rank r and twice the state N, r back to I
   * with a bias, decay [I, N], skip [I], out [I, D], three norms of r + 2N together. Source: JambaMambaMixer of Hugging
   * Face transformers.
   */
  count({ innerSize, stateSize, timeStepRank, convKernel }, hiddenSize) {
    const projected = timeStepRank + 2 * stateSize
    const perChannel = convKernel + 1 + projected + (timeStepRank + 1) + stateSize + 1
    return { mamba: always(3 * hiddenSize * innerSize + innerSize * perChannel + projected) }
  },
}

/** 7 for each number of the state: as of Mamba-2, and a decay of its own, a product and an exponential. */
export const mamba1Operations: OperationsOf<Mamba1> = ({ innerSize, stateSize }) => ({
  state: 7 * innerSize * stateSize,
})
