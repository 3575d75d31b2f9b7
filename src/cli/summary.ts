import {
  type BalanceFigures,
  chanceOf,
  globalMaxViolation,
  layersOf,
  type StepReport,
  sumLoads,
} from '../index.js'
import { type Drops, describeDrops, dropsOf, expectedDrops, type Refused } from './drops.js'
import { type Canvas, heatMap, legend } from './heatmap.js'
import { mean } from './mean.js'
import type { Plan } from './plan.js'
import { count, table } from './table.js'

/** The part of a report that the summary looks at: as the simulation gives it, or as a line of JSON brings it back. */
export type Figures = Pick<StepReport, 'step' | 'maxViolation' | 'expectedMaxViolation' | 'balance'> &
  Refused & {
    readonly load: ArrayLike<number>
    readonly biasSpread: ArrayLike<number>
  }

/** One step in the table. */
interface Row extends Omit<Figures, 'load' | 'biasSpread' | 'expectedMaxViolation'> {
  readonly expectedMaxViolation?: number
  /** Largest − smallest bias, as a mean over layers. */
  readonly biasSpread: number
}

/** What a whole simulation came to. */
export interface Summary {
  readonly rows: readonly Row[]
  /** Steps in the last window. */
  readonly window: number
  /** Its mean MaxVio. */
  readonly settled: number
  /**
   * What chance alone makes of every figure of a step, and of the window's summed load, where nothing is dropped: a capacity
   * evens out any load, and beside a floor of dropless routing a router without balance would look better than chance.
   */
  readonly chance?: BalanceFigures
  readonly globalChance?: number
  /** MaxVio of the window's summed load. */
  readonly global: number
  /**
   * First step from which on MaxVio, as a mean over every window, is below twice chance's; absent if the last one is not,
   * and with a capacity, which evens the load out whatever the router does.
   */
  readonly balancedAt?: number
  /** With a capacity. */
  readonly drops?: Drops
  /** [L, E] of the first step, and summed over the last window. */
  readonly before: Int32Array
  readonly after: Int32Array
}

/** Follows a simulation, keeping little of it, however long it is. */
export function follow(plan: Plan): { add(figures: Figures): void; summary(): Summary } {
  const { steps, numExperts, topK, tokens } = plan
  const window = Math.min(20, steps)
  const shown = shownSteps(steps)
  const rows: Row[] = []
  const violations: number[] = []
  const refused: Refused[] = []
  let loads: Int32Array[] = []
  let before = new Int32Array()
  return {
    add({ step, maxViolation, expectedMaxViolation, balance, dropped, unroutedTokens, ...arrays }) {
      const load = Int32Array.from(arrays.load)
      const biasSpread = mean(Array.from(arrays.biasSpread))
      if (step === 0) before = load
      const figures = { step, maxViolation, balance, biasSpread, dropped, unroutedTokens }
      const floor = plan.capacity === undefined && { expectedMaxViolation }
      if (shown.has(step)) rows.push({ ...figures, ...floor })
      violations.push(maxViolation)
      refused.push({ dropped, unroutedTokens })
      loads = [...loads, load].slice(-window)
    },
    summary() {
      const chance = chanceOf({ tokens, numExperts, topK })
      let balancedAt = steps - window + 1
      while (balancedAt > 0 && meanFrom(violations, balancedAt - 1, window) < 2 * chance.maxViolation)
        balancedAt--
      const globalChance = chanceOf({ tokens: tokens * window, numExperts, topK }).maxViolation
      const drops = dropsOf(refused, window, plan)
      return {
        rows,
        window,
        settled: mean(violations.slice(-window)),
        global: globalMaxViolation(loads, numExperts),
        ...(drops ? { drops } : { chance, globalChance }),
        ...(drops === undefined && balancedAt <= steps - window && { balancedAt }),
        before,
        after: sumLoads(loads),
      }
    },
  }
}

/** 0, 1, 2, 5, 10, 20, 50 … and the last: balance comes fast or slowly, and both can be seen. */
function shownSteps(steps: number): Set<number> {
  const shown = new Set([0])
  for (let scale = 1; scale < steps; scale *= 10) for (const n of [1, 2, 5]) shown.add(n * scale)
  return new Set([...shown].filter((step) => step < steps - 1)).add(steps - 1)
}

/** The summary as text. */
export function describe(summary: Summary, plan: Plan, canvas: Canvas): string {
  const { rows, window, settled, chance, drops, before, after } = summary
  const fixed = (value: number): string => value.toFixed(3)
  const columns = ['step', 'MaxVio', 'CV', 'Gini', 'entropy', 'dead', 'bias spread']
  const header = [...columns, ...(drops ? ['dropped', 'unrouted'] : [])]
  const cells = (figures: BalanceFigures): string[] => [
    fixed(figures.maxViolation),
    fixed(figures.coefficientOfVariation),
    fixed(figures.gini),
    figures.normalizedEntropy.toFixed(4),
    figures.deadExperts.toFixed(1),
  ]
  const lines = rows.map(({ step, balance, biasSpread, dropped, unroutedTokens }) => [
    String(step),
    ...cells(balance),
    fixed(biasSpread),
    ...(drops ? [String(dropped), String(unroutedTokens)] : []),
  ])
  const fair = chance ? [...cells(chance), ''] : ['', '', '', '', '', '']
  const byChance = ['by chance', ...fair, ...(drops ? [expectedDrops(drops, plan), ''] : [])]
  const last = window === 1 ? 'the last step' : `the last ${window} steps`
  const floor = (byChance: number | undefined): string =>
    byChance === undefined ? '' : `, ${fixed(byChance)} by chance`
  const figures = [
    `${upper(last)}: MaxVio ${fixed(settled)}${floor(chance?.maxViolation)};`,
    `of their summed load ${fixed(summary.global)}${floor(summary.globalChance)}.`,
  ]
  return [
    `${plan.layers.length === 1 ? '' : 'Means over layers.\n'}${table(header, [...lines, byChance])}`,
    `Load of each expert, first step\n${maps(before, plan, canvas)}`,
    `Load of each expert, ${last}\n${maps(after, plan, canvas)}${legend(canvas)}`,
    `${figures.join(' ')}\n${drops ? describeDrops(drops, last) : ''}${chance ? verdict(summary, chance) : ''}`,
  ].join('\n')
}

function verdict({ balancedAt, window }: Summary, chance: BalanceFigures): string {
  const bound = `twice what chance makes of balanced routing (${(2 * chance.maxViolation).toFixed(3)})`
  const span = window === 1 ? 'MaxVio' : `mean MaxVio over ${window} steps`
  if (balancedAt === undefined) return `Not in balance: at the end, ${span} is not below ${bound}.\n`
  return `In balance: from step ${balancedAt} on, ${span} is below ${bound}.\n`
}

const mostMaps = 4

function maps(load: Int32Array, { layers, numExperts }: Plan, canvas: Canvas): string {
  const loads = layersOf(load, numExperts)
  const name = (layer: number): string => (layers.length === 1 ? '' : `layer ${layers[layer]}\n`)
  const drawn = loads.slice(0, mostMaps).map((own, layer) => name(layer) + heatMap(own, canvas))
  return (
    drawn.join('') + (loads.length > mostMaps ? `and ${count(loads.length - mostMaps, 'layer')} more\n` : '')
  )
}

const meanFrom = (values: readonly number[], first: number, length: number): number =>
  mean(values.slice(first, first + length))

const upper = (text: string): string => text[0].toUpperCase() + text.slice(1)
