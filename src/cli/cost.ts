import type { Command } from 'commander'
import {
  demand,
  type Hardware,
  hardware,
  type ModelMemory,
  memoryOf,
  presets,
  type StorageFormat,
  storageBytes,
} from '../index.js'
import { type CostQuestion, costFigures } from './cost-figures.js'
import { demandLoadsOf } from './cost-loads.js'
import { type GivenPlacement, readPlacement } from './cost-placement.js'
import { decodeTable, frontTable, memoryTable, ranksTable } from './cost-tables.js'
import { demandUsage, type Given, oneOf, real, whole } from './given.js'
import { exitCode, type Io } from './io.js'
import { type GivenLoads, readLoads } from './loads.js'
import { modelHelp, namedModels } from './models.js'
import { defaultPreset } from './preset.js'
import { grouped } from './table.js'

const formats = Object.keys(storageBytes) as StorageFormat[]
const devices = Object.keys(hardware) as (keyof typeof hardware)[]

export function addCost(program: Command, io: Io, done: (code: number) => void): void {
  program
    .command('cost')
    .description('what a model costs to decode: memory, experts read, traffic, and tokens a second at most')
    .argument('[model]', modelHelp, defaultPreset)
    .option('--assume <type>', "read its config as if this were its model_type, such as 'llama-moe'")
    .option('--hardware <name>', `${devices.join(', ')} (default h200)`)
    .option('--weights <format>', `${formats.join(', ')} (default fp8)`)
    .option('--cache <format>', 'of keys and values (default fp8)')
    .option('--context <tokens>', 'tokens that a sequence has on average (default 16384)')
    .option('--batch <B>', 'sequences of one device where several share the experts (default 64)')
    .option(
      '--latency-us <µs>',
      'that every exchange between devices takes beside its bytes (default: of the hardware; 0 leaves it out)',
    )
    .option(
      '--loads <file>',
      'measured loads, as for place, instead of fair routing: for the work of experts, for reading them and for traffic',
    )
    .option(
      '--placement <file>',
      'output of place --json for the same layers; adds a row with experts where it puts them. Its --nodes count for nothing here: the hardware tells how many devices a node has',
    )
    .option('--last <n>', 'of a report or training in --loads: steps whose loads are summed (default 20)')
    .option('--json', 'print the figures as JSON')
    .addHelpText('after', examples)
    .action(async (name: string, given: Given) => done(await cost(name, given, io)))
}

const examples = `
Examples:
  $ moesim cost qwen3-30b-a3b --hardware b200 --context 4096
  $ moesim place run.jsonl --ranks 32 --replicas 160 --json > placed.json
  $ moesim cost path/to/config.json --loads run.jsonl --placement placed.json
`

async function cost(name: string, given: Given, io: Io): Promise<number> {
  const [{ model }] = await namedModels([name], io, given.assume as string | undefined)
  const weights = oneOf(given, 'weights', 'fp8', formats)
  const keyValues = oneOf(given, 'cache', 'fp8', formats)
  const size = (name: string, fallback: number): number =>
    whole(given, name, fallback, 1e9, 'Leave it out for its default.')
  const memory = memoryOf(model, { weights, keyValues })
  const routed = 'Use moesim count for one without.'
  demand(memory.experts.length > 0, 'cost: the model must have routed experts', name, routed)
  const last = given.last === undefined ? undefined : size('last', 1)
  const loads = loadsOf(given, memory, last)
  const placed = typeof given.placement === 'string' ? placedBy(given.placement, loads) : undefined
  const question = {
    memory,
    hardware: deviceOf(given),
    contextTokens: size('context', 16384),
    batchPerRank: whole(given, 'batch', 64, 1e6, 'Leave it out for its default.'),
    weights,
    activations: /^(mx)?fp8/.test(weights) ? weights : 'bf16',
    ...(loads && { loads }),
    ...(placed && { placed }),
  } as const
  const figures = costFigures(question)
  const header = `${model.name} on ${question.hardware.name}: weights ${weights}, keys and values ${keyValues}, a context of ${grouped(question.contextTokens)} tokens`
  const label = Object.hasOwn(presets, name) ? { preset: name } : { model: name }
  const text = given.json
    ? JSON.stringify({ ...label, name: model.name, ...toJson(question), ...figures }, null, 2)
    : [
        header,
        '',
        memoryTable(question, figures),
        decodeTable(question, figures),
        ranksTable(question, figures),
        frontTable(question, figures),
      ].join('\n')
  io.stdout(`${text.trimEnd()}\n`)
  return exitCode.ok
}

/** The question; of files not what they hold, but which they were. */
function toJson({ loads, placed, ...asked }: CostQuestion) {
  const placement = placed && { path: placed.path, byTheseLoads: placed.byTheseLoads }
  return { ...asked, loads: loads?.words, placement }
}

function loadsOf(
  { loads: path }: Given,
  memory: ModelMemory,
  last: number | undefined,
): GivenLoads | undefined {
  if (typeof path !== 'string') {
    const remedy = 'Leave it out, or give the loads.'
    demandUsage(last === undefined, '--last must stand with --loads', last, remedy)
    return undefined
  }
  const loads = readLoads('cost', path, last)
  demandLoadsOf(memory, loads)
  return loads
}

function placedBy(path: string, loads: GivenLoads | undefined): GivenPlacement {
  const rule = '--placement must stand with --loads'
  const remedy = 'Give the loads that were placed, or others of the same layers.'
  demandUsage(loads !== undefined, rule, path, remedy)
  return readPlacement(path, loads.layers)
}

function deviceOf(given: Given): Hardware {
  const device = hardware[oneOf(given, 'hardware', 'h200', devices)]
  const own = 1e6 * (device.latencySeconds as number)
  const latencyUs = real(given, 'latencyUs', own, 'Leave it out for its default.')
  demandUsage(latencyUs >= 0, '--latency-us must be at least 0', latencyUs, 'Use 0 to leave it out.')
  return latencyUs === own ? device : { ...device, latencySeconds: latencyUs / 1e6 }
}
