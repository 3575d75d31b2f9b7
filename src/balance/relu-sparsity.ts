import { demand, demandNothingElse, demandWhole, orNone } from '../errors.js'
import { filledSlots, type Routing } from '../router/routing.js'
import { sum } from '../stats.js'
import { type Logits, type Loss, type LossOptions, lossOf, validTokens } from './loss.js'

/** The share of expert slots that tokens leave unused, 1 − assignments / (T · E); 0 for no token. */
export function sparsityOf(routing: Routing): number {
  const { tokens, numExperts } = routing
  return tokens === 0 ? 0 : 1 - sum(filledSlots(routing)) / (tokens * numExperts)
}

export interface SparsityControllerOptions {
  readonly numExperts: number
  /** K, the experts a token is to take on average: the target sparsity is 1 − K / E. */
  readonly topK: number
  /** λ at the start; 1e-8 unless given. */
  readonly initial?: number
  /** What λ is multiplied with or divided by at each step; 1.2 unless given. */
  readonly factor?: number
}

/** The coefficient of `reluRegularizer` as state: made by `init`, moved by `update`. */
export interface SparsityController {
  init(): number
  /** λ after a step of this sparsity, averaged over layers. */
  update(coefficient: number, sparsity: number): number
}

/**
 * Holds the sparsity of ReLU routing at 1 − K / E: λ is multiplied by `factor` after a step that was less sparse, and
 * divided by it otherwise. In float32, which replays the reference to the last bit.
 *
 * At exactly the target the paper leaves λ as it is (sign 0), the reference divides, as here.
 * Source: Wang et al., ReMoE, arXiv 2412.14711; thu-ml/ReMoE `training.py`. Throws an InputError on options out of range.
 */
export function sparsityController(options: SparsityControllerOptions): SparsityController {
  const { numExperts, topK, initial = 1e-8, factor = 1.2, ...rest } = orNone(options)
  demandNothingElse('sparsityController: the options', rest)
  demandWhole('sparsityController: numExperts', numExperts, 1, 1 << 20, 'It is the number of routed experts.')
  demandMeanTopK('sparsityController', topK, numExperts)
  demand(
    initial > 0 && initial < Infinity,
    'sparsityController: initial must be a finite number above 0',
    initial,
    'Leave it out for 1e-8.',
  )
  demand(
    factor > 1 && factor < Infinity,
    'sparsityController: factor must be a finite number above 1',
    factor,
    'Leave it out for 1.2.',
  )
  const target = 1 - topK / numExperts
  const step = Math.fround(factor)
  return {
    init: () => Math.fround(initial),
    update: (coefficient, sparsity) =>
      Math.fround(sparsity < target ? coefficient * step : coefficient / step),
  }
}

/**
 * The load-weighted L1 regulariser of ReLU routing, and its gradient [T, E] with respect to the logits:
 * coefficient · E / (K · T²) · Σ_e n_e · Σ_t ReLU(logit_te), where n_e is the tokens that take expert e. The counts are
 * taken as constants, so that busy experts are pushed down harder. Padding, marked in `valid`, counts for nothing. For a
 * model, the mean over layers.
 *
 * Source: Wang et al., ReMoE, arXiv 2412.14711; thu-ml/ReMoE `ReLURouter.l1_reg_load_balancing`. Throws an InputError
 * as `auxLoss` does, and on a topK that is not above 0 and at most numExperts.
 */
export function reluRegularizer<A extends Logits>(
  logits: A,
  options: LossOptions & { readonly topK: number; readonly coefficient: number },
): Loss<A> {
  const batch = validTokens('reluRegularizer', logits, options)
  const { numExperts, topK } = options
  demandMeanTopK('reluRegularizer', topK, numExperts)
  const load = new Float64Array(numExperts)
  batch.logits.forEach((logit, i) => {
    if (logit > 0) load[i % numExperts]++
  })
  const tokens = Math.max(1, batch.tokens)
  const factor = numExperts / (topK * tokens * tokens)
  let sum = 0
  const gradient = batch.logits.map((logit, i) => {
    if (!(logit > 0)) return 0
    sum += load[i % numExperts] * logit
    return factor * load[i % numExperts]
  })
  return lossOf(logits, options, batch, { value: factor * sum, gradient })
}

function demandMeanTopK(who: string, topK: number, numExperts: number): void {
  demand(
    topK > 0 && topK <= numExperts,
    `${who}: topK must be above 0 and at most ${numExperts}`,
    topK,
    'It is a mean, and need not be whole.',
  )
}
