import { existsSync } from 'node:fs'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Command } from 'commander'
import { demand } from '../index.js'
import { quoted } from '../node/files.js'
import { exitCode, type Io } from './io.js'

/** Runs another command line of this program. */
export type RunCommand = (argv: readonly string[]) => Promise<number>

interface Stop {
  readonly question: string
  readonly argv: readonly string[]
}

/** `own` is the folder where the recorded files lie if they lie anywhere: the package comes without them. */
export function addTour(
  program: Command,
  io: Io,
  done: (code: number) => void,
  run: RunCommand,
  own: string = repositoryData,
): void {
  program
    .command('tour')
    .description('count, simulate, replay, steer: what this program does, in half a minute')
    .argument(
      '[data]',
      `folder of ${files.join(' and ')}; that of the repository unless given, if it is there`,
    )
    .addHelpText('after', '\nExample:\n  $ moesim tour\n')
    .action(async (data?: string) => done(await tour(io, run, data ?? own, data !== undefined)))
}

const files = ['trace.safetensors', 'training-load.safetensors']

const repositoryData = fileURLToPath(new URL('../../examples/data/', import.meta.url))

async function tour(io: Io, run: RunCommand, folder: string, named: boolean): Promise<number> {
  const [trace, training] = files.map((file) => join(folder, file))
  const recorded = existsSync(trace) && existsSync(training)
  // Whoever names a folder wants to see what is in it; without one, the rest of the tour is worth seeing, too.
  const remedy = 'Name the folder examples/data of the repository, or none for a tour without them.'
  demand(recorded || !named, `tour: the folder must hold ${files.join(' and ')}`, folder, remedy)
  const stops: Stop[] = [
    { question: 'How many of its parameters does Nemotron 3 Nano use for a token?', argv: ['count'] },
    {
      question: 'Tokens that want some experts more than others: does its bias bring the load into balance?',
      argv: ['simulate'],
    },
    ...(recorded ? recordedStops(trace, training) : []),
  ]
  for (const [index, { question, argv }] of stops.entries()) {
    const shown = argv.map((word) => quoted(existsSync(word) ? relative('', word) : word)).join(' ')
    io.stdout(`${index === 0 ? '' : '\n'}${index + 1}. ${question}\n$ moesim ${shown}\n\n`)
    const code = await run(argv)
    if (code !== exitCode.ok) return code
  }
  if (!recorded)
    io.stdout(
      `\nThe recorded files are not here, so their replay is left out: they come with the repository.\n`,
    )
  io.stdout(next)
  return exitCode.ok
}

const recordedStops = (trace: string, training: string): Stop[] => [
  {
    question:
      'A small trained model of this kind: do we route its tokens as its own code did, and where do they go?',
    argv: ['replay', trace],
  },
  {
    question: 'Its training: does each step’s load explain the next step’s bias?',
    argv: ['replay', training],
  },
  {
    question: 'Its tokens again, with the bias taken back to zero: does balancing find the way?',
    argv: ['simulate', '--trace', trace, '--rate', '0.01', '--steps', '60'],
  },
]

const next = `
Try next:
  moesim simulate --rate 0.01               faster, and how much rougher?
  moesim simulate --workload domains        sequences of one domain each
  moesim simulate --rule proportional --rate 0.1
  moesim simulate --help
`
