import { resolve } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import type { Command } from 'commander'
import { demand, presets, reportToJson, type Snapshot } from '../index.js'
import { isFile, quoted } from '../node/files.js'
import { progress } from '../node/progress.js'
import {
  createRecording,
  type Recording,
  resumeRecording,
  savedState,
  snapshotPath,
} from '../node/recording.js'
import { flag, type Given } from './given.js'
import { exitCode, type Io, terminalOf } from './io.js'
import { modelHelp } from './models.js'
import { type Plan, planSimulation } from './plan.js'
import { defaultPreset } from './preset.js'
import { describe, type Figures, follow, type Summary } from './summary.js'

const saveEvery = 5000 // ms: what a kill -9 may cost

export function addSimulate(program: Command, io: Io, done: (code: number) => void): void {
  program
    .command('simulate')
    .description('route drawn or recorded tokens step by step while a bias balances the load')
    .option('--preset <model>', `take the router of this model: ${modelHelp} (default ${defaultPreset})`)
    .option('--assume <type>', "read its config as if this were its model_type, such as 'llama-moe'")
    .option('--experts <E>', 'routed experts, instead of the preset’s')
    .option('--top-k <K>', 'experts a token chooses, instead of the preset’s')
    .option('--score <function>', 'sigmoid, softmax or sqrtsoftplus, instead of the preset’s')
    .option('--layers <L>', 'MoE layers, each with its own tokens and bias (default 1)')
    .option('--tokens <T>', 'tokens of a step (default 4096)')
    .option('--steps <n>', 'steps (default 300)')
    .option('--rate <u>', 'how far an update moves a bias (default 0.001)')
    .option('--rule <rule>', 'sign, proportional or none (default sign)')
    .option('--unit <unit>', 'of the proportional rule’s error: mean, fraction or tokens (default mean)')
    .option('--center', 'subtract the mean from every update')
    .option('--update-every <n>', 'steps whose summed load makes one update (default 1)')
    .option(
      '--workload <kind>',
      'gaussian: independent tokens; domains: sequences of 15 domains (default gaussian)',
    )
    .option(
      '--skew <s>',
      'gaussian: how unlike the experts’ mean logits are; below 0, the last is the least wanted (default 0.5)',
    )
    .option('--sequence-length <n>', 'domains: tokens of a sequence (default 64)')
    .option('--preference <p>', 'domains: how far apart the domains are (default 1)')
    .option(
      '--trace <file>',
      'recorded tokens and their router instead; a step is the whole trace unless --tokens is given',
    )
    .option(
      '--capacity-factor <f>',
      'room of an expert, in mean loads, rounded up; what exceeds it is dropped',
    )
    .option(
      '--drop <order>',
      'who is served first: probs, first-come, random or priority, of the token’s largest weight (default probs)',
    )
    .option('--seed <seed>', 'any text or number: the same seed gives the same bytes (default 0)')
    .option('--json', 'print the summary as JSON')
    .option('--out <file>', 'write every step as a line of JSON; Ctrl-C leaves a file to go on with')
    .option('--overwrite', 'let --out replace the run that its file holds, complete or interrupted')
    .option('--resume <file>', 'go on with an interrupted --out file, with the options it was started with')
    .addHelpText('after', '\nExample:\n  $ moesim simulate --rate 0.01 --steps 100 --out run.jsonl\n')
    .action(async (given: Given) => done(await simulation(given, io)))
}

interface Run {
  readonly given: Given
  readonly plan: Plan
  readonly watch: ReturnType<typeof follow>
  readonly recording?: Recording
  readonly from?: Snapshot
}

async function simulation(asked: Given, io: Io): Promise<number> {
  const { given, plan, watch, recording, from } =
    typeof asked.resume === 'string' ? await goOn(asked, asked.resume, io) : await begin(asked, io)
  if (!given.json) io.stdout(`${plan.title.join('\n')}\n\n`)
  const bar = progress(terminalOf(io), plan.steps, 'steps', from?.step)
  let saved = Number.NEGATIVE_INFINITY // so that the first step is saved: a run can be resumed from then on
  try {
    for (const report of plan.start(from)) {
      watch.add(report)
      recording?.append(reportToJson(report))
      bar.tick(report.step + 1, `MaxVio ${report.maxViolation.toFixed(2)}`)
      await setImmediate() // signals are heard between steps
      const now = io.now()
      const { aborted } = io.signal
      if (recording && (aborted || now - saved >= saveEvery)) {
        recording.save({ version: 1, given, snapshot: report.snapshot() })
        saved = now
      }
      if (aborted) {
        bar.clear()
        io.stderr(farewell(given, recording, report.step + 1, plan.steps))
        return exitCode.interrupted
      }
    }
  } finally {
    bar.clear()
    recording?.close()
  }
  recording?.complete()
  const summary = watch.summary()
  io.stdout(given.json ? toJson(plan, summary) : describe(summary, plan, io))
  return exitCode.ok
}

async function begin(asked: Given, io: Io): Promise<Run> {
  const given = typeof asked.out === 'string' ? lasting(asked) : asked
  const plan = await planSimulation(given, io)
  const clash = typeof given.out === 'string' && resolve(given.out) === given.trace
  demand(!clash, 'simulate: --out must not be the file that --trace reads', given.out, 'Name another file.')
  if (typeof given.out !== 'string') return { given, plan, watch: follow(plan) }
  const recording = createRecording(given.out, asked.overwrite === true)
  return { given, plan, watch: follow(plan), recording }
}

/** Options that mean the same when a run goes on, which may be from another folder: files by their whole paths. */
function lasting(asked: Given): Given {
  const remedy = 'A run that goes on reads it again: save standard input as a file.'
  demand(asked.preset !== '-', "simulate: --preset '-' must not stand with --out", asked.out, remedy)
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

async function goOn(asked: Given, path: string, io: Io): Promise<Run> {
  const other = Object.keys(asked).find((name) => name !== 'resume')
  const remedy = 'The run goes on with the options that it was started with.'
  demand(other === undefined, 'simulate: --resume stands alone', other && flag(other), remedy)
  const saved = savedState(path)
  const broken = 'It was changed since it was saved: start anew.'
  demand(isSaved(saved), 'resume: it must be a snapshot of moesim simulate', snapshotPath(path), broken)
  const given = { ...saved.given, out: path }
  const from = saved.snapshot
  const plan = await planSimulation(given, io)
  const watch = follow(plan)
  const recording = resumeRecording(path, from.step, (line, step) => {
    demand(isReport(line, step, plan), `resume: line ${step + 1} must report step ${step}`, path, broken)
    watch.add(line)
  })
  return { given, plan, watch, recording, from }
}

function isReport(line: unknown, step: number, { layers, numExperts }: Plan): line is Figures {
  const figures = line as Partial<Figures> | null
  return figures?.step === step && figures.load?.length === layers.length * numExperts
}

function farewell({ out }: Given, recording: Recording | undefined, step: number, steps: number): string {
  const how = recording?.resumable
    ? `${out} holds every step so far. Go on with: moesim simulate --resume ${quoted(String(out))}`
    : 'Nothing was kept; with --out FILE it could go on.'
  return `Interrupted after ${step} of ${steps} steps. ${how}\n`
}

function toJson(plan: Plan, { before, after, ...figures }: Summary): string {
  const { start: _, ...asked } = plan
  const loads = { before: Array.from(before), after: Array.from(after) }
  return `${JSON.stringify({ ...asked, ...figures, ...loads }, null, 2)}\n`
}
