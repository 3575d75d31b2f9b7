// What a bug does, in figures of the last eight batches.
import {
  agreement,
  expectedMaxViolation,
  loadOf,
  maxViolation,
  type Routing,
  type Setup,
  simulate,
} from 'moesim'
import type { Exhibit } from './exhibits.js'

export interface Comparison {
  /** MaxVio without the bug, with it, and by chance. */
  readonly right: number
  readonly wrong: number
  readonly chance: number
  /** Share of the slots that go to another expert. */
  readonly slots: number
  /**
   * Length of the difference of the outputs over the length of the right ones, where the outputs of experts have one
   * length and stand at right angles.
   */
  readonly output: number
  /** Mean bias with the bug. */
  readonly meanBias: number
}

export function compare({ right, wrong, tokens = right.tokensPerStep }: Exhibit): Comparison {
  const [good, bad] = [right, wrong].map((setup) => lastEight(setup, tokens))
  const pairs = good.map(({ routing }, i) => [routing, bad[i].routing] as const)
  const violation = (run: typeof good) => mean(run.map(({ routing }) => maxViolation(loadOf(routing))))
  const { topK, numExperts } = good[0].routing
  return {
    right: violation(good),
    wrong: violation(bad),
    chance: expectedMaxViolation({ tokens, numExperts, topK }),
    slots: mean(pairs.map(([a, b]) => agreement(a, b).differingSlotShare)),
    output: Math.sqrt(mean(pairs.map(([a, b]) => squared(a, b))) / mean(pairs.map(([a]) => squared(a)))),
    meanBias: mean(bad.map(({ meanBias }) => meanBias)),
  }
}

function lastEight(setup: Setup<unknown>, tokens: number): { routing: Routing; meanBias: number }[] {
  const last: { routing: Routing; meanBias: number }[] = []
  for (const { routings, biasMean } of simulate(setup)) {
    last.push({ routing: firstTokens(routings[0], tokens), meanBias: biasMean[0] })
    if (last.length > 8) last.shift()
  }
  return last
}

function firstTokens(routing: Routing, tokens: number): Routing {
  const end = tokens * routing.topK
  const { experts, weights, numExperts, topK, dropped } = routing
  return {
    tokens,
    topK,
    numExperts,
    dropped,
    experts: experts.subarray(0, end),
    weights: weights.subarray(0, end),
  }
}

/** ‖a − b‖² of the weights as [T, E]; without b, ‖a‖². */
function squared(a: Routing, b?: Routing): number {
  const dense = new Float64Array(a.tokens * a.numExperts)
  const add = ({ experts, weights, topK }: Routing, sign: number) =>
    experts.forEach((expert, slot) => {
      if (expert >= 0) dense[Math.floor(slot / topK) * a.numExperts + expert] += sign * weights[slot]
    })
  add(a, 1)
  if (b) add(b, -1)
  return dense.reduce((sum, value) => sum + value * value, 0)
}

const mean = (values: readonly number[]): number => values.reduce((sum, x) => sum + x, 0) / values.length
