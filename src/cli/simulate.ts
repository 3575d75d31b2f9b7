import { setImmediate } from 'node:timers/promises'
import type { Command } from 'commander'
import { reportToJson } from '../index.js'
import { quoted } from '../node/files.js'
import { progress } from '../node/progress.js'
import type { Recording } from '../node/recording.js'
import type { Given } from './given.js'
import { exitCode, type Io, terminalOf } from './io.js'
import { modelHelp } from './models.js'
import type { Plan } from './plan.js'
import { defaultPreset } from './preset.js'
import { begin, completedSteps, demandAlone, goOn, type Run } from './runs.js'
import { describe, type Summary } from './summary.js'
import { count } from './table.js'

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
    .option('--groups <G>', 'groups of experts, instead of the preset’s')
    .option(
      '--top-groups <n>',
      'groups whose experts a token may choose, instead of the preset’s (default: all --groups)',
    )
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
    .option(
      '--out <file>',
      'write every step as a line of JSON, the setup in the first; after Ctrl-C the same command goes on, and leaves a complete file as it is',
    )
    .option('--overwrite', 'let --out replace the run that its file holds, complete or interrupted')
    .option(
      '--resume <file>',
      'go on with an interrupted --out file; stands alone: its snapshot holds the options',
    )
    .addHelpText('after', '\nExample:\n  $ moesim simulate --rate 0.01 --steps 100 --out run.jsonl\n')
    .action(async (given: Given) => done(await simulation(given, io)))
}

async function simulation(asked: Given, io: Io): Promise<number> {
  if (typeof asked.resume !== 'string') return simulated(await begin(asked, io), io)
  demandAlone(asked)
  const steps = completedSteps(asked.resume)
  if (steps === undefined) return simulated(await goOn(asked.resume, io), io)
  io.stderr(completed(asked.resume, steps, 'The command that started it prints its summary again.'))
  return exitCode.ok
}

async function simulated(run: Run, io: Io): Promise<number> {
  const { given, plan, complete } = run
  if (!given.json) io.stdout(`${plan.title.join('\n')}\n\n`)
  if (complete) io.stderr(completed(String(given.out), plan.steps, 'This is its summary.'))
  else if (await interrupted(run, io)) return exitCode.interrupted
  const summary = run.watch.summary()
  io.stdout(given.json ? toJson(plan, summary) : describe(summary, plan, io))
  return exitCode.ok
}

/** Makes the steps of a run. True if Ctrl-C came before the last. */
async function interrupted({ given, plan, watch, recording, from }: Run, io: Io): Promise<boolean> {
  const bar = progress(terminalOf(io), plan.steps, 'steps', from?.step)
  let saved = Number.NEGATIVE_INFINITY // so that the first step is saved: a run can be resumed from then on
  try {
    for (const report of plan.start(from)) {
      watch.add(report)
      recording?.append({ ...reportToJson(report), ...(report.step === 0 && { setup: plan.setup }) })
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
        return true
      }
    }
  } finally {
    bar.clear()
    recording?.close()
  }
  recording?.complete()
  return false
}

const completed = (path: string, steps: number, remedy: string): string =>
  `${path} is complete: it holds ${count(steps, 'step')}. ${remedy} To make it anew, use --overwrite.\n`

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
