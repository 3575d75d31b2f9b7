import type { Command } from 'commander'
import { replayTrace, replayTraining } from '../index.js'
import { readBytes } from '../node/files.js'
import { exitCode, type Io } from './io.js'
import { readRecorded } from './recorded.js'
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
  const recorded = readRecorded('replay', path, readBytes(path))
  if ('trace' in recorded) {
    const { trace } = recorded
    const layers = replayTrace(trace)
    io.stdout(json ? traceToJson(trace, layers) : describeTrace(trace, layers, io))
    return layers.every(agrees) ? exitCode.ok : exitCode.failed
  }
  const { training } = recorded
  const replayed = replayTraining(training)
  io.stdout(json ? trainingToJson(training, replayed) : describeTraining(training, replayed, io))
  return replayed.differingPairs === 0 ? exitCode.ok : exitCode.failed
}
