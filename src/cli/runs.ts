import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { demand, presets, type Snapshot } from '../index.js'
import { isFile } from '../node/files.js'
import {
  createRecording,
  linesOf,
  type Recording,
  resumeRecording,
  savedState,
  snapshotPath,
} from '../node/recording.js'
import { demandUsage, flag, type Given } from './given.js'
import type { Io } from './io.js'
import { type Plan, planSimulation, type SimulatedSetup } from './plan.js'
import { type Figures, follow } from './summary.js'

/** A run of `moesim simulate`, from its first step or from where it was interrupted. */
export interface Run {
  readonly given: Given
  readonly plan: Plan
  readonly watch: ReturnType<typeof follow>
  readonly recording?: Recording
  readonly from?: Snapshot
  /** The file of --out holds every step already. */
  readonly complete?: true
}

/**
 * The run that the options ask for. The same options give the same bytes: so the run that the file of --out holds is gone
 * on with if it is of these options, and looked at again if it is complete; any other is refused.
 */
export async function begin(asked: Given, io: Io): Promise<Run> {
  const given = typeof asked.out === 'string' ? lasting(asked) : asked
  const plan = await planSimulation(given, io)
  const clash = typeof given.out === 'string' && resolve(given.out) === given.trace
  demandUsage(
    !clash,
    'simulate: --out must not be the file that --trace reads',
    given.out,
    'Name another file.',
  )
  const watch = follow(plan)
  if (typeof given.out !== 'string') return { given, plan, watch }
  const { out } = given
  if (asked.overwrite !== true && isFile(out) && isOf(plan, out)) {
    if (existsSync(snapshotPath(out))) return goOnWith(given, out, plan)
    const complete = completeRun(given, out, plan)
    if (complete) return complete
  }
  return { given, plan, watch, recording: createRecording(out, asked.overwrite === true) }
}

/** Whether the first report of a file says that this setup made it. */
function isOf({ setup }: Plan, path: string): boolean {
  for (const first of linesOf(path)) return JSON.stringify(setupOf(first)) === JSON.stringify(setup)
  return false
}

const setupOf = (line: unknown): Partial<SimulatedSetup> | undefined =>
  (line as { setup?: SimulatedSetup } | null | undefined)?.setup

/** The run of a file that holds each of its steps; undefined of any other file. */
function completeRun(given: Given, path: string, plan: Plan): Run | undefined {
  const watch = follow(plan)
  let step = 0
  for (const line of linesOf(path)) {
    if (!isReport(line, step, plan)) return undefined
    watch.add(line)
    step++
  }
  return step === plan.steps ? { given, plan, watch, complete: true } : undefined
}

/** How many steps a file holds, if that is all of its run; undefined where some are missing, or it does not say how many. */
export function completedSteps(path: string): number | undefined {
  if (!isFile(path) || existsSync(snapshotPath(path))) return undefined
  let [held, steps]: [number, number | undefined] = [0, undefined]
  for (const line of linesOf(path)) {
    if (held === 0) steps = setupOf(line)?.steps
    held++
  }
  return held === steps ? steps : undefined
}

/** Options that mean the same when a run goes on, which may be from another folder: files by their whole paths. */
function lasting(asked: Given): Given {
  const remedy = 'A run that goes on reads it again: save standard input as a file.'
  demandUsage(asked.preset !== '-', "simulate: --preset '-' must not stand with --out", asked.out, remedy)
  const { overwrite: _, ...given } = asked // said of this file, once
  const { trace, preset } = given
  return {
    ...given,
    ...(typeof trace === 'string' && { trace: resolve(trace) }),
    ...(isModelFile(preset) && { preset: resolve(preset) }),
  }
}

/** A model that is named by its file. What is no file at all is told as it was typed. */
const isModelFile = (preset: string | boolean | undefined): preset is string =>
  typeof preset === 'string' && !Object.hasOwn(presets, preset) && isFile(preset)

interface Saved {
  readonly version: 1
  readonly given: Given
  readonly snapshot: Snapshot
}

/** What a snapshot holds besides is checked where it is used. */
function isSaved(json: unknown): json is Saved {
  const { version, given, snapshot } = (json ?? {}) as Partial<Saved>
  const { step = -1 } = snapshot ?? {}
  return version === 1 && isGiven(given) && Number.isSafeInteger(step) && step >= 0
}

const isGiven = (given: unknown): given is Given =>
  typeof given === 'object' &&
  given !== null &&
  Object.values(given).every((value) => typeof value === 'string' || typeof value === 'boolean')

const broken = 'It was changed since it was saved: start anew.'

function savedOf(path: string): Saved {
  const saved = savedState(path)
  demand(isSaved(saved), 'resume: it must be a snapshot of moesim simulate', snapshotPath(path), broken)
  return saved
}

/** Refuses options beside --resume. */
export function demandAlone(asked: Given): void {
  const other = Object.keys(asked).find((name) => name !== 'resume')
  const remedy = 'The run goes on with the options that it was started with: its snapshot holds them.'
  demandUsage(other === undefined, 'simulate: --resume stands alone', other && flag(other), remedy)
}

/** The run of --resume, with the options that its snapshot holds. */
export async function goOn(path: string, io: Io): Promise<Run> {
  const given = { ...savedOf(path).given, out: path }
  return goOnWith(given, path, await planSimulation(given, io))
}

function goOnWith(given: Given, path: string, plan: Plan): Run {
  const { snapshot: from } = savedOf(path)
  const watch = follow(plan)
  const recording = resumeRecording(path, from.step, (line, step) => {
    demand(isReport(line, step, plan), `resume: line ${step + 1} must report step ${step}`, path, broken)
    watch.add(line)
  })
  return { given, plan, watch, recording, from }
}

function isReport(line: unknown, step: number, { layers, numExperts }: Plan): line is Figures {
  const figures = line as Partial<Figures> | null | undefined
  return figures?.step === step && figures.load?.length === layers.length * numExperts
}
