import type { Command } from 'commander'
import {
  demand,
  type Hardware,
  hardware,
  type ModelMemory,
  memoryOf,
  presets,
  type StorageFormat,
  sequenceBytes,
  storageBytes,
} from '../index.js'
import { type CostFigures, type CostQuestion, costFigures } from './cost-figures.js'
import { type GivenPlacement, readPlacement } from './cost-placement.js'
import { type Given, oneOf, real, whole } from './given.js'
import { exitCode, type Io } from './io.js'
import { type GivenLoads, readLoads } from './loads.js'
import { modelHelp, namedModels } from './models.js'
import { defaultPreset } from './preset.js'
import { grouped, table } from './table.js'

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
      'what place --json printed: where the experts of those loads stand, beside their own order',
    )
    .option('--last <n>', 'of a report or training: steps whose loads are summed (default 20)')
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
  const last = size('last', 20)
  const memory = memoryOf(model, { weights, keyValues })
  const routed = 'Use moesim count for one without.'
  demand(memory.experts.length > 0, 'cost: the model must have routed experts', name, routed)
  const loads = typeof given.loads === 'string' ? readLoads('cost', given.loads, last) : undefined
  const placed = typeof given.placement === 'string' ? placedBy(given.placement, loads) : undefined
  const question = {
    memory,
    hardware: deviceOf(given),
    contextTokens: size('context', 16384),
    batchPerRank: whole(given, 'batch', 64, 1e6, 'Leave it out for its default.'),
    weights,
    activations: /^(mx)?fp8/.test(weights) ? weights : 'bf16',
    ...(loads && { loads: loads.layers.map(({ load }) => load) }),
    ...(placed && { placed }),
  } as const
  const figures = costFigures(question)
  const header = `${model.name} on ${question.hardware.name}: weights ${weights}, keys and values ${keyValues}, a context of ${grouped(question.contextTokens)} tokens`
  const label = Object.hasOwn(presets, name) ? { preset: name } : { model: name }
  const { placed: _, ...asked } = question
  const text = given.json
    ? JSON.stringify({ ...label, name: model.name, ...asked, loads: loads?.words, ...figures }, null, 2)
    : [
        header,
        '',
        memoryTable(question, figures),
        decodeTable(question, figures),
        ranksTable(question, figures, loads?.words),
        frontTable(question, figures),
      ].join('\n')
  io.stdout(`${text.trimEnd()}\n`)
  return exitCode.ok
}

function placedBy(path: string, loads: GivenLoads | undefined): GivenPlacement {
  const rule = '--placement must stand with --loads'
  demand(loads !== undefined, rule, path, 'Give the loads that were placed, or others of the same layers.')
  return readPlacement(path, loads.layers)
}

function deviceOf(given: Given): Hardware {
  const device = hardware[oneOf(given, 'hardware', 'h200', devices)]
  const own = 1e6 * (device.latencySeconds as number)
  const latencyUs = real(given, 'latencyUs', own, 'Leave it out for its default.')
  demand(latencyUs >= 0, '--latency-us must be at least 0', latencyUs, 'Use 0 to leave it out.')
  return latencyUs === own ? device : { ...device, latencySeconds: latencyUs / 1e6 }
}

/** 1580000 as 1.58 MB. */
function bytes(count: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB']
  let unit = 0
  let size = count
  for (; size >= 999.5 && unit < units.length - 1; unit++) size /= 1000
  return `${unit === 0 ? size : size.toPrecision(3)} ${units[unit]}`
}

const thousands = (count: number): string => grouped(Math.round(count))

function memoryTable({ memory, contextTokens }: CostQuestion, figures: CostFigures): string {
  const atOnce = (of: ModelMemory): number =>
    of.caches.reduce((sum, { bytesPerToken }) => sum + bytesPerToken, 0)
  return table(
    ['memory', ''],
    [
      ['weights', bytes(memory.weightBytes)],
      ['read at every step', bytes(memory.commonBytes)],
      ['an expert', bytes(memory.experts[0].expertBytes)],
      ['keys and values of a token', bytes(atOnce(memory))],
      ['state of a sequence', bytes(memory.stateBytes)],
      ['a sequence at this context', bytes(sequenceBytes(memory, contextTokens))],
      ['sequences that fit on one device', thousands(figures.largestBatch)],
      ['tokens of a step that make experts compute-bound', thousands(figures.computeBoundTokens)],
    ],
  )
}

function decodeTable({ loads }: CostQuestion, { decode }: CostFigures): string {
  if (decode.length === 0) return 'One device does not hold the weights and a sequence.\n'
  const rows = decode.map((row) => [
    grouped(row.batch),
    row.distinctExperts.toFixed(1),
    bytes(row.commonBytes + row.expertBytes),
    bytes(row.cacheBytes + row.stateBytes),
    thousands(row.tokensPerSecondAtMost),
  ])
  const header = ['sequences', 'experts a layer', 'weights read', 'cache and state', 'tokens/s at most']
  const routing = loads ? ' of fair routing' : ''
  return `One device, one step${routing}; prefill, kernels and scheduling are left out\n${table(header, rows)}`
}

function ranksTable(
  { batchPerRank, hardware: { latencySeconds }, placed }: CostQuestion,
  { ranks }: CostFigures,
  loadWords: string | undefined,
): string {
  const rows = ranks.map((row) => [
    grouped(row.ranks),
    ...(placed ? [standing(row)] : []),
    row.devicesPerToken.toFixed(2),
    bytes(Math.round(row.bytesPerToken)),
    ...(loadWords === undefined ? [] : [row.busiestPort.toFixed(3)]),
    row.straggler.toFixed(3),
    row.stragglerByChance?.toFixed(3) ?? '',
    bytes(row.memoryBytesPerRank),
    row.fits ? thousands(row.tokensPerSecondPerRank) : 'too large',
  ])
  const header = [
    'devices',
    ...(placed ? ['experts'] : []),
    'a token needs',
    'sent a layer',
    ...(loadWords === undefined ? [] : ['busiest port']),
    'slowest',
    'by chance',
    'memory',
    'tokens/s at most',
  ]
  const exchange = `An exchange takes ${Number((1e6 * (latencySeconds as number)).toPrecision(6))} µs and the time of its bytes.`
  const routing =
    loadWords === undefined ? 'Routing: fair.' : `Loads: ${loadWords}; fewer tokens wait longer.`
  return `Experts over devices, ${grouped(batchPerRank)} sequences each; bytes of a token, memory and speed of a device. ${exchange} ${routing}\n${table(header, rows)}`
}

const standing = ({ placed }: { readonly placed: boolean }): string => (placed ? 'as placed' : 'in order')

function frontTable({ placed }: CostQuestion, { front }: CostFigures): string {
  if (front.length === 0) return 'No number of devices holds the weights and a sequence on each.\n'
  const rows = front.map((point) => [
    grouped(point.ranks),
    ...(placed ? [standing(point)] : []),
    grouped(point.batchPerRank),
    bytes(point.memoryBytesPerRank),
    thousands(point.tokensPerSecondPerRank),
    thousands(point.tokensPerSecondPerSequence),
  ])
  const experts = placed ? ['experts'] : []
  const header = ['devices', ...experts, 'sequences each', 'memory', 'tokens/s at most', 'for one sequence']
  return `No other choice has more speed of a device in less memory\n${table(header, rows)}`
}
