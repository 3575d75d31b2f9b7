import { demand, demandNothingElse, demandWhole } from '../errors.js'
import { exp } from '../math.js'
import { logitsOf } from './logits.js'
import type { Router } from './protocol.js'
import { routeAt } from './route-at.js'
import { maskScores, refuseUnordered } from './score.js'
import { topK as topKOf } from './top-k.js'

/**
 * Sinkhorn routing (S-BASE), as in training: a token takes its K largest entries of `sinkhornMatrix`, which divides the
 * whole batch evenly among the experts before anyone chooses. Weights are those of the logits themselves, not
 * normalised: sigmoid for K = 1, softmax over all experts for more. No bias is read.
 *
 * In evaluation the batch is not at hand, and the choice is that of `route` with the same score function, `normalize`
 * false and `scale` 1. Source: Clark et al., arXiv 2202.01169; Megatron-LM `sinkhorn_load_balancing`. Throws an
 * InputError on logits that are missing, do not fit, are NaN or above 700.
 */
export function sinkhorn(options: { readonly numExperts: number; readonly topK: number }): Router {
  const { numExperts, topK, ...rest } = options
  demandNothingElse('sinkhorn: the options', rest)
  demandWhole('sinkhorn: numExperts', numExperts, 1, 1 << 20, 'It is the number of routed experts.')
  demandWhole('sinkhorn: topK', topK, 1, numExperts, 'A token cannot choose more experts than there are.')
  const scoreFunction = topK === 1 ? 'sigmoid' : 'softmax'
  return (batch) => {
    const logits = logitsOf(batch, numExperts, 'sinkhorn')
    const keys = maskScores(scaledMatrix(logits, numExperts, 'sinkhorn').matrix, logits)
    const experts = topKOf(keys, numExperts, topK)
    return routeAt(logits, experts, { numExperts, topK, scoreFunction, normalize: false, scale: 1 })
  }
}

/** What `sinkhornMatrix` gives. */
export interface SinkhornMatrix {
  /** [T, E] */
  readonly matrix: Float32Array
  /** How far each round moved the column scales, on average; as many as there were rounds. */
  readonly changes: readonly number[]
}

const largestChange = 1e-4
const mostRounds = 1000
const epsilon = 1e-8

/**
 * exp(logits) [T, E] with its rows and columns scaled in turn until columns sum to 1/E and rows, nearly, to 1/T: the
 * share of the batch that each token sends to each expert. Row scales start from column scales of 1; it ends when a
 * round moves the column scales by 1e-4 or less on average, or after 1000 rounds. The reference has no such limit: where
 * the mean logits of experts have a standard deviation of 3 or more, it goes on for 10⁵ rounds, in which the matrix
 * changes by a few per cent at most while its ε moves rows against columns.
 *
 * Padding, a row of −∞, does not count in T, nor an expert that is closed to all tokens in E; both stay 0. The reference
 * counts them, so that rows cannot add up to what columns do: an imbalance, and many more rounds.
 *
 * In float64, rounded once to float32. Source: Megatron-LM `sinkhorn`. Throws an InputError on logits that do not fit,
 * are NaN, or above 700, where the sums could leave float64 (Megatron-LM's, in float32, leave it above 88).
 */
export function sinkhornMatrix(logits: Float32Array, numExperts: number): SinkhornMatrix {
  return scaledMatrix(logits, numExperts, 'sinkhornMatrix')
}

function scaledMatrix(logits: Float32Array, numExperts: number, who: string): SinkhornMatrix {
  demand(
    logits.length % numExperts === 0,
    `${who}: logits must hold rows of numExperts = ${numExperts} values`,
    logits,
    'Lay them out as [T, E], one row a token.',
  )
  refuseUnordered(logits, numExperts, who)
  const high = logits.findIndex((logit) => logit > 700)
  demand(high < 0, `${who}: logits must be at most 700`, logits[high], 'Scale them down.')
  const tokens = logits.length / numExperts
  const powers = Float64Array.from(logits, exp)
  const open = countOpen(powers, numExperts)
  const rows = new Float64Array(tokens)
  const columns = new Float64Array(numExperts).fill(1)
  const changes: number[] = []
  do {
    scaleRows(powers, rows, columns, 1 / open.rows)
    changes.push(scaleColumns(powers, rows, columns, 1 / open.columns))
  } while (changes.length < mostRounds && changes[changes.length - 1] > largestChange)
  const scaled = (power: number, i: number): number =>
    columns[i % numExperts] * power * rows[Math.floor(i / numExperts)]
  return { matrix: Float32Array.from(powers, scaled), changes }
}

/** How many rows, and columns, have anything to share out. */
function countOpen(powers: Float64Array, width: number): { rows: number; columns: number } {
  const columns = new Uint8Array(width)
  let rows = 0
  for (let row = 0; row < powers.length; row += width) {
    let open = 0
    for (let e = 0; e < width; e++) {
      if (powers[row + e] === 0) continue
      open = 1
      columns[e] = 1
    }
    rows += open
  }
  return { rows, columns: columns.reduce((sum, open) => sum + open, 0) }
}

/** Sets the scales of open rows to share / (Σ over experts of column scale · power + ε), those of others to 0. */
function scaleRows(powers: Float64Array, rows: Float64Array, columns: Float64Array, share: number): void {
  for (let token = 0; token < rows.length; token++) {
    let sum = 0
    for (let e = 0; e < columns.length; e++) sum += columns[e] * powers[token * columns.length + e]
    rows[token] = sum > 0 ? share / (sum + epsilon) : 0
  }
}

/** The same for columns, share / (Σ over tokens + ε), but closed ones stay; returns how far an open one moved, on average. */
function scaleColumns(
  powers: Float64Array,
  rows: Float64Array,
  columns: Float64Array,
  share: number,
): number {
  const sums = new Float64Array(columns.length)
  for (let token = 0; token < rows.length; token++) {
    const row = token * columns.length
    for (let e = 0; e < columns.length; e++) sums[e] += rows[token] * powers[row + e]
  }
  let moved = 0
  let open = 0
  for (let e = 0; e < columns.length; e++) {
    if (sums[e] === 0) continue
    const scale = share / (sums[e] + epsilon)
    moved += Math.abs(scale - columns[e])
    columns[e] = scale
    open++
  }
  return open === 0 ? 0 : moved / open
}
