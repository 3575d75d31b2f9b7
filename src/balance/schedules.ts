import { demand, demandNothingElse, demandWhole, orNone } from '../errors.js'
import { sinCosTurns } from '../math.js'
import type { Schedule } from './protocol.js'

/**
 * One value after another: `values[0]` until update `starts[0]`, `values[1]` from there on, and so on.
 * DeepSeek-V3 (arXiv 2412.19437, §4.2) keeps its rate at 1e-3 and then sets it to 0: values [1e-3, 0].
 * Throws an InputError on values that are not finite and on starts that are not one fewer, whole and ascending.
 */
export function piecewiseSchedule(values: readonly number[], starts: readonly number[]): Schedule {
  values.forEach((value) => {
    demandFinite('piecewiseSchedule: a value', value)
  })
  demand(
    values.length === starts.length + 1,
    `piecewiseSchedule: there must be one start for each of ${values.length} values but the first`,
    starts,
    'Give the number of the update from which each next value holds.',
  )
  starts.forEach((start, i) => {
    const least = i === 0 ? 0 : starts[i - 1]
    demandWhole(
      `piecewiseSchedule: start ${i}`,
      start,
      least,
      Number.MAX_SAFE_INTEGER,
      'Updates are counted from 0.',
    )
  })
  return (update) => values[starts.filter((start) => update >= start).length]
}

/** A way from one value to another. */
export interface Ramp {
  readonly from: number
  readonly to: number
  /** Updates it takes: at update `over` and ever after the value is `to`. */
  readonly over: number
}

/** In a straight line. Throws an InputError on ends that are not finite and on an `over` that is no whole number. */
export const linearSchedule = (ramp: Ramp): Schedule => along('linearSchedule', ramp, (done) => done)

/** In half a cosine, level at both ends. Throws an InputError as `linearSchedule` does. */
export const cosineSchedule = (ramp: Ramp): Schedule => {
  const wave = new Float64Array(2) // sine and cosine
  return along('cosineSchedule', ramp, (done) => {
    sinCosTurns(done / 2, wave)
    return (1 - wave[1]) / 2
  })
}

function along(who: string, ramp: Ramp, shape: (done: number) => number): Schedule {
  const { from, to, over, ...rest } = orNone(ramp)
  demandNothingElse(`${who}: the ramp`, rest)
  demandFinite(`${who}: from`, from)
  demandFinite(`${who}: to`, to)
  demandWhole(`${who}: over`, over, 0, Number.MAX_SAFE_INTEGER, 'It is a number of updates.')
  return (update) => (update >= over ? to : from + (to - from) * shape(update / over))
}

/**
 * Warm-up, stable, decay: in a straight line from 0 to `peak` over `warmup` updates, level for `stable`, and in a
 * straight line to `end`, 0 unless given, over `decay`. Source: MiniCPM, arXiv 2404.06395, §4.2, there for the learning
 * rate. Throws an InputError on values that are not finite and on durations that are no whole numbers.
 */
export function wsdSchedule(options: {
  readonly peak: number
  readonly warmup: number
  readonly stable: number
  readonly decay: number
  readonly end?: number
}): Schedule {
  const { peak, warmup, stable, decay, end = 0, ...rest } = orNone(options)
  demandNothingElse('wsdSchedule: the options', rest)
  demandWhole('wsdSchedule: stable', stable, 0, Number.MAX_SAFE_INTEGER, 'It is a number of updates.')
  const rise = along('wsdSchedule: warmup', { from: 0, to: peak, over: warmup }, (done) => done)
  const fall = along('wsdSchedule: decay', { from: peak, to: end, over: decay }, (done) => done)
  const turn = warmup + stable
  return (update) => (update < turn ? rise(update) : fall(update - turn))
}

function demandFinite(what: string, value: number): void {
  demand(Number.isFinite(value), `${what} must be a finite number`, value, 'A rate is a number such as 1e-3.')
}
