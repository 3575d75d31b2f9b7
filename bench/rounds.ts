/**
 * Contenders take turns in rounds, one round of each, again and again, so that a slow moment of the machine falls on
 * all. Each turn gets other data, so that no branch predictor learns it by heart; what is computed is added up and used.
 */
import { Bench, type Task } from 'tinybench'

/** A number of what was computed, or the milliseconds that another process measured itself. */
export type Made = number | { overriddenDuration: number }

export interface Contender {
  readonly name: string
  /** One turn. `turn` counts up: take data by it. */
  readonly run: (turn: number) => Made | Promise<Made>
  /** `run` gives promises. */
  readonly async?: boolean
  /** Before the turns of a round, untimed. */
  readonly prepare?: () => unknown
  /** Said beside the result, once all rounds are over. */
  readonly note?: (medianMs: number) => string
}

/** Milliseconds of a turn: the median and the quartiles of all turns. */
export interface Row {
  readonly name: string
  readonly median: number
  readonly low: number
  readonly high: number
  /** How many times as long as the first contender, the median over the rounds of the ratio within a round. */
  readonly ratio: number
  readonly note?: string
}

export interface Table {
  readonly title: string
  readonly rows: readonly Row[]
}

export interface RoundOptions {
  /** 9 unless given, after a warm-up. */
  readonly rounds?: number
  /** The least time of a contender in a round, in ms: 80 unless given; one turn at least. */
  readonly time?: number
}

/** Milliseconds of each contender before the rounds: V8 compiles the plain twin up to five times before it settles. */
const warmUp = 1000

let sink = 0

/** What all turns made: print it if it is NaN, and nothing of them can be left out by a compiler. */
export const madeInAll = (): number => sink

export async function inRounds(
  title: string,
  contenders: readonly Contender[],
  { rounds = 9, time = 80 }: RoundOptions = {},
): Promise<Table> {
  await benchOf(contenders, warmUp).run()
  const bench = benchOf(contenders, time)
  const samples = contenders.map((): (readonly number[])[] => [])
  for (let round = 0; round < rounds; round++) {
    await bench.run()
    bench.tasks.forEach((task, i) => samples[i].push(samplesOf(task)))
    bench.reset()
  }
  const medians = samples.map((ofRounds) => ofRounds.map((ofRound) => quantile(ofRound, 0.5)))
  const rows = contenders.map(({ name, note }, i): Row => {
    const all = samples[i].flat()
    const [low, median, high] = [0.25, 0.5, 0.75].map((share) => quantile(all, share))
    const ratio = quantile(
      medians[i].map((value, round) => value / medians[0][round]),
      0.5,
    )
    return { name, median, low, high, ratio, ...(note && { note: note(median) }) }
  })
  return { title, rows }
}

/** A run of it is one round. */
function benchOf(contenders: readonly Contender[], time: number): Bench {
  const bench = new Bench({ time, iterations: 1, warmup: false, retainSamples: true, throws: true })
  for (const { name, run, async = false, prepare } of contenders) {
    let turn = 0
    const keep = (made: Made): Made => {
      if (typeof made === 'number') sink += made
      return made
    }
    const task = async ? async () => keep(await run(turn++)) : () => keep(run(turn++) as Made)
    const options = prepare && { beforeAll: async () => void (await prepare()) }
    bench.add(name, task as () => Made, { async, ...options })
  }
  return bench
}

function samplesOf({ name, result }: Task): readonly number[] {
  if (!('latency' in result) || result.latency.samples === undefined) throw new Error(`${name} gave no times`)
  return result.latency.samples
}

function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  const at = share * (sorted.length - 1)
  const below = Math.floor(at)
  return sorted[below] + (at - below) * (sorted[Math.min(below + 1, sorted.length - 1)] - sorted[below])
}
