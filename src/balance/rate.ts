import { demand } from '../errors.js'
import type { Schedule } from './protocol.js'

/** Refuses what is neither a finite rate nor a schedule of one. */
export function demandRate(who: string, rate: number | Schedule): void {
  demand(
    typeof rate === 'function' || Number.isFinite(rate),
    `${who}: rate must be a finite number or a schedule`,
    rate,
    'Use 1e-3, or a function of the number of updates so far.',
  )
}

/** The rate of the next update, in float32, as the biases are: that replays recorded training to the last bit. */
export const rateAt = (rate: number | Schedule, updates: number): number =>
  Math.fround(typeof rate === 'function' ? rate(updates) : rate)
