import type { Command } from 'commander'
import {
  type Cluster,
  demand,
  type LayerLoad,
  linearPlacement,
  type Placement,
  type PlacementPolicy,
  placeBySearch,
  placeExactly,
  placeExperts,
  randomPlacement,
  rankLoads,
  roundRobinPlacement,
  stragglerBound,
  stragglerFactor,
  streams,
} from '../index.js'
import { demandUsage, type Given, oneOf, whole } from './given.js'
import { exitCode, type Io } from './io.js'
import { type GivenLoads, readLoads } from './loads.js'
import { count, percent, table } from './table.js'

const names = ['eplb', 'search', 'exact', 'linear', 'round-robin'] as const

const policies: Record<(typeof names)[number], PlacementPolicy> = {
  eplb: placeExperts,
  search: placeBySearch,
  exact: placeExactly,
  linear: linearPlacement,
  'round-robin': roundRobinPlacement,
}

export function addPlace(program: Command, io: Io, done: (code: number) => void): void {
  program
    .command('place')
    .description('place experts on the ranks of a cluster by their load, and say how much the ranks wait')
    .argument(
      '<file>',
      'loads: a report of simulate --out, recorded training, a recorded trace, or CSV with columns layer, expert, load',
    )
    .option('--ranks <R>', 'devices that share the experts of a layer (default 8)')
    .option('--replicas <P>', 'slots of all ranks, for second copies (default: one an expert)')
    .option('--nodes <M>', 'nodes of R / M ranks (default 1)')
    .option('--groups <G>', 'groups of experts that stay in one node (default 1)')
    .option('--policy <name>', `${names.join(', ')} (default eplb)`)
    .option('--last <n>', 'of a report or training: steps whose loads are summed (default 20)')
    .option('--json', 'print the placement as JSON')
    .addHelpText(
      'after',
      '\nExample:\n  $ moesim place examples/data/trace.safetensors --ranks 32 --replicas 160\n',
    )
    .action((file: string, given: Given) => done(place(file, given, io)))
}

/** One layer, placed. */
interface Placed extends LayerLoad {
  readonly placement: Placement
  readonly stragglerFactor: number
  readonly linear: number
  readonly random: number
  readonly bound: number
}

function place(path: string, given: Given, io: Io): number {
  const most = 1 << 20
  const size = (name: string, fallback: number): number =>
    whole(given, name, fallback, most, 'Leave it out for its default.')
  const loads = readLoads('place', path, given.last === undefined ? undefined : size('last', 1))
  const [{ index: first, load }] = loads.layers
  const numExperts = load.length
  for (const { index, load } of loads.layers) {
    const rule = `place: layer ${index} must have ${numExperts} experts, as layer ${first}`
    demand(
      load.length === numExperts,
      rule,
      load.length,
      'Place layers of other sizes from a file of their own.',
    )
  }
  const cluster = {
    replicas: size('replicas', numExperts),
    ranks: size('ranks', 8),
    nodes: size('nodes', 1),
    groups: size('groups', 1),
  }
  demandUsage(
    cluster.groups % cluster.nodes === 0,
    `--nodes must divide --groups, which is ${cluster.groups}`,
    cluster.nodes,
    'Nodes hold whole groups: give as many groups as the model has, or one node, where every expert may go anywhere.',
  )
  const name = oneOf(given, 'policy', 'eplb', names)
  const layers = loads.layers.map((layer) => placeLayer(layer, cluster, policies[name]))
  io.stdout(
    given.json
      ? `${JSON.stringify({ numExperts, ...cluster, policy: name, layers: layers.map((layer) => toJson(layer, cluster)) }, null, 2)}\n`
      : describe(loads, layers, cluster, name),
  )
  return exitCode.ok
}

const draws = 100

function placeLayer({ index, load }: LayerLoad, cluster: Required<Cluster>, policy: PlacementPolicy): Placed {
  const placement = policy(load, cluster)
  const straggler = (own: PlacementPolicy): number => stragglerFactor(load, own(load, cluster), cluster.ranks)
  const chance = randomPlacement(streams(0)('placement', index))
  const random = Array.from({ length: draws }, () => straggler(chance))
  return {
    index,
    load,
    placement,
    stragglerFactor: stragglerFactor(load, placement, cluster.ranks),
    linear: straggler(linearPlacement),
    random: random.reduce((sum, factor) => sum + factor, 0) / draws,
    bound: stragglerBound(load, cluster),
  }
}

function describe(
  { words, layers: { 0: first } }: GivenLoads,
  layers: readonly Placed[],
  { replicas, ranks, nodes }: Cluster,
  policy: string,
): string {
  const header = [
    `${words}: ${first.load.length} experts in ${replicas} slots,`,
    `${replicas / ranks} on each of ${count(ranks, 'rank')} of ${count(nodes as number, 'node')}`,
  ].join(' ')
  const fixed = (value: number): string => value.toFixed(3)
  const rows = layers.map((layer) => [
    `layer ${layer.index}`,
    fixed(layer.linear),
    fixed(layer.random),
    fixed(layer.stragglerFactor),
    fixed(layer.bound),
    percent(1 - 1 / layer.stragglerFactor),
    String(layer.placement.replicaCount.reduce((most, own) => Math.max(most, own))),
  ])
  const bound = nodes === 1 ? 'no less than' : 'no less than, as one node' // which the bound looks at
  const columns = ['', 'as loaded', 'by chance', policy, bound, 'time waited', 'most replicas']
  return [
    `${header}\n`,
    `Load of the busiest rank over the mean, if the replicas of an expert share its tokens equally\n${table(columns, rows)}`,
    'Of the loads it was placed by: on other tokens, expect more.\n',
  ].join('\n')
}

function toJson(layer: Placed, { ranks }: Cluster) {
  const { index, load, placement, stragglerFactor, linear, random, bound } = layer
  return {
    index,
    stragglerFactor: { linear, random, placed: stragglerFactor, bound },
    rankLoads: Array.from(rankLoads(load, placement, ranks)),
    experts: Array.from(placement.experts),
    replicaRank: Array.from(placement.replicaRank),
    replicaCount: Array.from(placement.replicaCount),
  }
}
