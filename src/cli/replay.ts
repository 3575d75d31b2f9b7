import type { Command } from 'commander'
import {
  InputError,
  readSafetensors,
  readTrace,
  readTrainingLoad,
  replayTrace,
  replayTraining,
} from '../index.js'
import { readBytes } from '../node/files.js'
import { exitCode, type Io } from './io.js'
import { agrees, describeTrace, traceToJson } from './replayed-trace.js'
import { describeTraining, trainingToJson } from './replayed-training.js'

export function addReplay(program: Command, io: Io, done: (code: number) => void): void {
  program
    .command('replay')
    .description('recompute what a real model’s routers did, compare, and measure it')
    .argument('<file>', 'safetensors file: a routing trace, or the loads and biases of a training run')
    .option('--json', 'print the figures as JSON')
    .addHelpText('after', '\nExample:\n  $ moesim replay examples/data/trace.safetensors\n')
    .action((file: string, { json }: { json?: true }) => done(replay(file, json === true, io)))
}

function replay(path: string, json: boolean, io: Io): number {
  const bytes = readBytes(path)
  const names = [...readSafetensors(bytes).tensors.keys()]
  if (names.some((name) => /^layers\.\d+\.router_input$/.test(name))) {
    const trace = readTrace(bytes)
    const layers = replayTrace(trace)
    io.stdout(json ? traceToJson(trace, layers) : describeTrace(trace, layers, io))
    return layers.every(agrees) ? exitCode.ok : exitCode.failed
  }
  if (names.includes('counts') && names.includes('bias')) {
    const recorded = readTrainingLoad(bytes)
    const replayed = replayTraining(recorded)
    io.stdout(json ? trainingToJson(recorded, replayed) : describeTraining(recorded, replayed, io))
    return replayed.differingPairs === 0 ? exitCode.ok : exitCode.failed
  }
  const found =
    names.length > 4 ? `${names.slice(0, 4).join(', ')} and ${names.length - 4} more` : names.join(', ')
  throw new InputError(
    'replay: the file must hold a routing trace (tensors layers.N.router_input) or training loads (counts and bias)',
    `tensors ${found || 'none'}`,
    'Give a file that a routing recorder wrote.',
  )
}
