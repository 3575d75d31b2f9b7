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

/**
 * The rate of the next update, in float32, as the biases are: that replays recorded training to the last bit. Throws an
 * InputError where a schedule gives none.
 */
export function rateAt(rate: number | Schedule, updates: number): number {
  if (typeof rate !== 'function') return Math.fround(rate)
  const now = rate(updates)
  demand(
    now >= 0 && now < Infinity,
    `a schedule must give a finite rate, 0 or more, at update ${updates}`,
    now,
    'One below 0 would load the overloaded.',
  )
  return Math.fround(now)
}
