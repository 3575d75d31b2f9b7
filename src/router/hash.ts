import { demand, demandNothingElse, demandWhole } from '../errors.js'
import type { Streams } from '../random.js'
import { type RouterConfig, resolveRouter } from './config.js'
import type { Router } from './protocol.js'
import { routeGiven } from './route-given.js'

/**
 * Hash routing: a token's experts are those that `table`, [vocabulary, K], holds for its token id. The choice is fixed;
 * the weights are still those of the current scores at the chosen experts. The bias is not used.
 *
 * Source: Roller et al., "Hash Layers", arXiv 2106.04426, without learned scores: for a batch without logits the experts
 * of a token weigh the same. Layers with `tid2eid` of DeepSeek-V4, with scores. Throws an InputError on a table with an
 * expert that does not exist or stands twice in a row, and on token ids that are missing or beyond the table.
 */
export function hashRouter(router: RouterConfig, table: Int32Array): Router {
  const { numExperts, topK } = resolveRouter(router)
  checkTable(table, numExperts, topK)
  const vocabulary = table.length / topK
  return (batch) => {
    const { tokens, tokenIds } = batch
    demand(
      tokenIds !== undefined && tokenIds.length === tokens,
      `hashRouter: the batch must have a token id for each of ${tokens} tokens`,
      tokenIds,
      'Use a workload that gives tokenIds.',
    )
    const experts = new Int32Array(tokens * topK)
    tokenIds.forEach((id, token) => {
      demand(
        id >= 0 && id < vocabulary,
        `hashRouter: token ids must be from 0 to ${vocabulary - 1}, as the table has it`,
        id,
        'Make the table of the whole vocabulary.',
      )
      experts.set(table.subarray(id * topK, (id + 1) * topK), token * topK)
    })
    return routeGiven(batch, experts, router, 'hashRouter')
  }
}

export interface HashTableOptions {
  /** Token ids, from 0. */
  readonly vocabulary: number
  readonly numExperts: number
  readonly topK: number
}

/** table[t][j] = (t · K + j) mod E: neighbouring ids go to neighbouring experts. Automodel's initial `tid2eid`. */
export function moduloHashTable(options: HashTableOptions): Int32Array {
  const { vocabulary, numExperts, topK } = checkedOptions('moduloHashTable', options)
  return Int32Array.from({ length: vocabulary * topK }, (_, slot) => slot % numExperts)
}

/** K distinct experts for each token id, every set with the same chance, from the stream 'hash' of `random`. */
export function randomHashTable({ random, ...options }: HashTableOptions & { random: Streams }): Int32Array {
  const { vocabulary, numExperts, topK } = checkedOptions('randomHashTable', options)
  const draws = random('hash')
  const table = new Int32Array(vocabulary * topK)
  for (let id = 0; id < vocabulary; id++) {
    draws.at(id)
    const chosen = new Set<number>()
    // Floyd's sampling: no draw is made in vain, however close K is to E.
    for (let last = numExperts - topK; last < numExperts; last++) {
      const expert = draws.below(last + 1)
      chosen.add(chosen.has(expert) ? last : expert)
    }
    table.set([...chosen], id * topK)
  }
  return table
}

function checkedOptions(who: string, options: HashTableOptions): HashTableOptions {
  const { vocabulary, numExperts, topK, ...rest } = options
  demandNothingElse(`${who}: the options`, rest)
  demandWhole(`${who}: vocabulary`, vocabulary, 1, 1 << 28, 'It is the number of token ids.')
  demandWhole(`${who}: numExperts`, numExperts, 1, 1 << 20, 'It is the number of routed experts.')
  demandWhole(`${who}: topK`, topK, 1, numExperts, 'A token cannot choose more experts than there are.')
  return options
}

function checkTable(table: Int32Array, numExperts: number, topK: number): void {
  demand(
    table instanceof Int32Array && table.length > 0 && table.length % topK === 0,
    `hashRouter: table must be an Int32Array of topK = ${topK} experts for each token id`,
    table,
    'Make one with moduloHashTable or randomHashTable.',
  )
  table.forEach((expert, slot) => {
    const first = slot - (slot % topK)
    demand(
      expert >= 0 && expert < numExperts && table.indexOf(expert, first) === slot,
      `hashRouter: the experts of token id ${first / topK} must be distinct and from 0 to ${numExperts - 1}`,
      expert,
      'Make the table with the same numExperts and topK.',
    )
  })
}
