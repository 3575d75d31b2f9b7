/**
 * Placing the experts of a model of DeepSeek-V3's size: 58 layers × 256 experts in 288 slots on 32 ranks, all layers a turn,
 * hierarchical (4 nodes, 8 groups) and global. The reference is rebalance_experts of deepseek-ai/EPLB, where its eplb.py is
 * on PYTHONPATH; the search has no peer, and its straggler factor says what its time buys.
 */
import {
  dirichlet,
  type PlacementPolicy,
  placeBySearch,
  placeExperts,
  stragglerFactor,
  streams,
} from 'moesim'
import type { Peers } from './peers/find.js'
import { type Contender, inRounds, type Table } from './rounds.js'

const [numExperts, layers, turns] = [256, 58, 4]
const clusters = {
  hierarchical: { replicas: 288, ranks: 32, nodes: 4, groups: 8 },
  global: { replicas: 288, ranks: 32, nodes: 1, groups: 1 },
}

/** The loads of all layers, for each turn. */
const loads = Array.from({ length: turns }, (_, turn) =>
  Array.from({ length: layers }, (_, layer) => {
    const shares = dirichlet(streams('bench')('loads', layer, turn), new Float64Array(numExperts).fill(2))
    return Int32Array.from(shares, (share) => Math.round(share * 1e6))
  }),
)

export async function placeTables({ python }: Peers): Promise<Table[]> {
  const tables: Table[] = []
  for (const [name, cluster] of Object.entries(clusters)) {
    const contender = (name: string, policy: PlacementPolicy): Contender => {
      const factors = loads[0].map((load) => stragglerFactor(load, policy(load, cluster), cluster.ranks))
      const mean = factors.reduce((sum, factor) => sum + factor, 0) / layers
      return {
        name,
        run: (turn) => loads[turn % turns].reduce((sum, load) => sum + policy(load, cluster).experts[0], 0),
        note: () => `mean straggler factor ${mean.toFixed(4)}`,
      }
    }
    const contenders = [contender('moesim', placeExperts), contender('moesim, by search', placeBySearch)]
    const options = { loads: loads.map((ofTurn) => ofTurn.map((load) => [...load])), ...cluster }
    const reference = await python?.contender('PyTorch', 'torch_eplb', options)
    if (reference !== undefined) {
      const [experts] = await reference.results()
      checkSame(experts, cluster)
      contenders.push({ ...reference, note: () => 'rebalance_experts' })
    }
    tables.push(
      await inRounds(`place by EPLB, ${layers} layers × ${numExperts} experts, ${name}`, contenders, {
        rounds: 5,
      }),
    )
  }
  return tables
}

/**
 * Throws unless the reference, [layers, slots] as int64, loads the ranks as ours does. Experts of equal load may change
 * places, for its sort keeps no order among them.
 */
function checkSame(reference: Buffer, cluster: typeof clusters.global): void {
  const slots = Int32Array.from(new BigInt64Array(new Uint8Array(reference).buffer), Number)
  for (const [layer, load] of loads[0].entries()) {
    const ours = ranked(load, placeExperts(load, cluster).experts, cluster.ranks)
    const theirs = ranked(
      load,
      slots.subarray(layer * cluster.replicas, (layer + 1) * cluster.replicas),
      cluster.ranks,
    )
    const same = ours.every((value, rank) => Math.abs(value - theirs[rank]) < 1e-6 * value)
    if (!same) throw new Error(`EPLB in PyTorch loads the ranks of layer ${layer} otherwise`)
  }
}

/** What each rank carries, in ascending order. */
function ranked(load: Int32Array, experts: Int32Array, ranks: number): Float64Array {
  const replicas = new Int32Array(load.length)
  for (const e of experts) replicas[e]++
  const carried = new Float64Array(ranks)
  experts.forEach((e, slot) => {
    carried[Math.floor((slot * ranks) / experts.length)] += load[e] / replicas[e]
  })
  return carried.sort()
}
