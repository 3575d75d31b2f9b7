import { demand } from '../errors.js'
import type { Schedule } from './protocol.js'

/** Refuses what is neither a finite rate nor a schedule of one; one below 0 would load the overloaded. */
export function demandRate(who: string, rate: number | Schedule): void {
  demand(
    typeof rate === 'function' || (Number.isFinite(rate) && rate >= 0),
    `${who}: rate must be a finite number, 0 or more, or a schedule`,
    rate,
    'Use 1e-3, or a function of the number of updates so far.',
  )
}

/** The rate of the next update, in float32, as the biases are: that replays recorded training to the last bit. */
export const rateAt = (rate: number | Schedule, updates: number): number =>
  Math.fround(typeof rate === 'function' ? rate(updates) : rate)
