import { type ModelMemory, sequenceBytes } from '../index.js'
import type { CostFigures, CostQuestion } from './cost-figures.js'
import { grouped, table } from './table.js'

/** 1580000 as 1.58 MB. */
function bytes(count: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB']
  let unit = 0
  let size = count
  for (; size >= 999.5 && unit < units.length - 1; unit++) size /= 1000
  return `${unit === 0 ? size : size.toPrecision(3)} ${units[unit]}`
}

const thousands = (count: number): string => grouped(Math.round(count))

export function memoryTable({ memory, contextTokens }: CostQuestion, figures: CostFigures): string {
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

export function decodeTable({ loads }: CostQuestion, { decode }: CostFigures): string {
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

export function ranksTable(question: CostQuestion, { ranks }: CostFigures): string {
  const { memory, batchPerRank, hardware, loads, placed } = question
  const rows = ranks.map((row) => [
    grouped(row.ranks),
    ...(placed ? [standing(row)] : []),
    row.devicesPerToken.toFixed(2),
    bytes(Math.round(row.bytesPerToken)),
    ...(loads ? [row.busiestPort.toFixed(3)] : []),
    row.stragglerFactor.toFixed(3),
    row.stragglerFactorByChance?.toFixed(3) ?? '',
    bytes(row.memoryBytesPerRank),
    row.fits ? thousands(row.tokensPerSecondPerRank) : 'too large',
  ])
  const header = [
    'devices',
    ...(placed ? ['experts'] : []),
    'a token needs',
    'sent a layer',
    ...(loads ? ['busiest port'] : []),
    'slowest',
    'by chance',
    'memory',
    'tokens/s at most',
  ]
  const latencyUs = Number((1e6 * (hardware.latencySeconds as number)).toPrecision(6))
  const exchange = `An exchange takes ${latencyUs} µs and the time of its bytes.`
  const routing = loads ? `Loads: ${loads.words}.` : 'Routing: fair.'
  const [{ numGroups, topGroups }] = memory.experts
  const groups =
    numGroups === undefined ? '' : ` Tokens keep to ${topGroups} of ${numGroups} groups of experts.`
  return [
    `Experts over devices, ${grouped(batchPerRank)} sequences each; bytes of a token, memory and speed of a device. ${exchange} ${routing}${groups}`,
    table(header, rows),
    ...ranksNotes(question),
    '',
  ].join('\n')
}

/** What the columns are, and what is not in them. */
function ranksNotes({ loads, placed }: CostQuestion): string[] {
  if (loads === undefined)
    return [
      'slowest: largest over mean of the work of the devices’ experts, which chance alone makes uneven; 1 is even.',
    ]
  const notes = [
    'busiest port, slowest: largest over mean of what devices get, and of their experts’ work; 1 is even.',
    'by chance: what as many tokens as were counted make of slowest when they choose at random.',
    'What chance adds in small batches is not in measured loads: they can look faster than fair routing.',
  ]
  if (placed?.placements.some(({ experts, replicaCount }) => experts.length > replicaCount.length))
    notes.push('Copies of an expert are read, too: as placed can be slower than in order.')
  if (placed?.byTheseLoads) notes.push('Of the loads it was placed by: on other tokens, expect more.')
  return notes
}

const standing = ({ placed }: { readonly placed: boolean }): string => (placed ? 'as placed' : 'in order')

export function frontTable({ placed }: CostQuestion, { front }: CostFigures): string {
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
