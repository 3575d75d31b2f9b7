import { expectedDropShare, type StepReport } from '../index.js'
import type { Plan } from './plan.js'
import { percent } from './table.js'

/** The two numbers of a step: assignments refused by a capacity, and tokens that no expert adds anything to. */
export type Refused = Pick<StepReport, 'dropped' | 'unroutedTokens'>

/** The same as shares of all assignments and of all tokens. */
interface Shares {
  readonly ofAssignments: number
  readonly ofTokens: number
}

/** What a capacity refused in the first step and on the mean of the last ones; and what it would of fair routing. */
export interface Drops {
  readonly first: Shares
  readonly last: Shares
  /** Of assignments. */
  readonly chance: number
}

/** Drops of a simulation: nothing where it has no capacity. */
export function dropsOf(steps: readonly Refused[], window: number, plan: Plan): Drops | undefined {
  const { capacity, tokens, topK, numExperts, layers } = plan
  if (capacity === undefined) return undefined
  const all = tokens * layers.length
  const shares = (of: readonly Refused[]): Shares => ({
    ofAssignments: of.reduce((sum, { dropped }) => sum + dropped, 0) / (all * topK * of.length),
    ofTokens: of.reduce((sum, { unroutedTokens }) => sum + unroutedTokens, 0) / (all * of.length),
  })
  return {
    first: shares(steps.slice(0, 1)),
    last: shares(steps.slice(-window)),
    chance: expectedDropShare({ tokens, numExperts, topK, capacity }),
  }
}

/** Assignments of a step that fair routing loses, as a number for the table. */
export const expectedDrops = ({ chance }: Drops, { tokens, topK, layers }: Plan): string =>
  (chance * tokens * topK * layers.length).toFixed(1)

/** The drops in two lines; `last` reads 'the last 20 steps'. */
export function describeDrops({ first, last: settled, chance }: Drops, last: string): string {
  const line = (name: string, { ofAssignments, ofTokens }: Shares): string =>
    `${name}: ${percent(ofAssignments, 2)} of assignments dropped, ${percent(ofTokens, 2)} of tokens left without an expert`
  return [
    `${line('First step', first)}.`,
    `${line(`${last[0].toUpperCase()}${last.slice(1)}`, settled)}; fair routing drops ${percent(chance, 2)}.`,
    'Load and MaxVio are those after the drop, which evens them out whatever the router does: judge it by its drops.\n',
  ].join('\n')
}
