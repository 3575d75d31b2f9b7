import { demand, demandWhole } from '../errors.js'
import { bytesIn, type StorageFormat } from '../model/storage.js'
import type { Routing } from '../router/routing.js'
import { expectedGroupsTouched, type GroupedExperts } from './groups-touched.js'

/** Where experts and tokens live: ranks are devices, or whole nodes where only the traffic between nodes counts. */
export interface RankMap {
  readonly ranks: number
  /** [E] the rank of each expert; of copies, route to the copies: a routing over P slots and a map [P]. */
  readonly expertRank: Int32Array
  /** [T] the rank on which each token is. */
  readonly tokenRank: Int32Array
}

/** `count` things on `ranks` ranks, side by side, as evenly as it goes: experts by default, or tokens of one batch. */
export function contiguousRanks(count: number, ranks: number): Int32Array {
  return Int32Array.from({ length: count }, (_, i) => Math.floor((i * ranks) / count))
}

/**
 * [R, R] vectors that rank s sends to rank d, at s · R + d: one for each assignment, as an all-to-all without
 * deduplication sends them. Throws an InputError where the map does not fit the routing.
 */
export function sentAssignments(routing: Routing, map: RankMap): Int32Array {
  checkMap('sentAssignments', routing, map)
  return sent(routing, map, () => true)
}

/**
 * The same, one for each token and rank that it needs: copies of a token are made, and its results summed, where the
 * experts are (DeepEP). With nodes for ranks it is what crosses the network of a dispatch in two stages.
 */
export function sentTokens(routing: Routing, map: RankMap): Int32Array {
  checkMap('sentTokens', routing, map)
  const lastToken = new Int32Array(map.ranks).fill(-1)
  return sent(routing, map, (token, rank) => {
    const isNew = lastToken[rank] !== token
    lastToken[rank] = token
    return isNew
  })
}

function sent(routing: Routing, map: RankMap, counts: (token: number, rank: number) => boolean): Int32Array {
  const { tokens, topK, experts } = routing
  const { ranks, expertRank, tokenRank } = map
  const vectors = new Int32Array(ranks * ranks)
  for (let token = 0; token < tokens; token++) {
    for (let slot = token * topK; slot < (token + 1) * topK; slot++) {
      if (experts[slot] < 0) continue
      const rank = expertRank[experts[slot]]
      if (counts(token, rank)) vectors[tokenRank[token] * ranks + rank]++
    }
  }
  return vectors
}

/** What one vector is on the way to the experts and on the way back. */
export interface TokenVector {
  /** D, or the latent width. */
  readonly width: number
  readonly dispatch: StorageFormat
  readonly combine: StorageFormat
}

/** Bytes of each pair of ranks, [R, R] from source to destination; what a rank keeps for itself stands on the diagonal. */
export interface Traffic {
  readonly dispatchBytes: Float64Array
  readonly combineBytes: Float64Array
}

/**
 * The bytes of a dispatch of such vectors, [R, R], and of the combine, which sends a vector back for each.
 * Left out: expert indices, weights and counts that travel along, and alignment of messages.
 */
export function trafficOf(vectors: Int32Array, { width, dispatch, combine }: TokenVector): Traffic {
  const ranks = Math.sqrt(vectors.length)
  const back = vectors.map((_, i) => vectors[(i % ranks) * ranks + Math.floor(i / ranks)])
  const inBytes = (counts: Int32Array, format: StorageFormat): Float64Array => {
    const vectorBytes = width * bytesIn('trafficOf', format)
    return Float64Array.from(counts, (count) => count * vectorBytes)
  }
  return { dispatchBytes: inBytes(vectors, dispatch), combineBytes: inBytes(back, combine) }
}

/** The sum of a matrix [R, R] without its diagonal: what leaves a rank at all. */
export function crossing(matrix: Int32Array | Float64Array): number {
  const ranks = Math.sqrt(matrix.length)
  let sum = 0
  for (let i = 0; i < matrix.length; i++) if (i % (ranks + 1) !== 0) sum += matrix[i]
  return sum
}

/** Bytes of one token in one layer, both ways, with a vector for each of its K experts; local ones counted too. */
export function allToAllBytesPerToken({ topK, ...vector }: TokenVector & { readonly topK: number }): number {
  return topK * bytesBothWays('allToAllBytesPerToken', vector)
}

/**
 * Bytes of one token in one layer, both ways, expected of fair routing: a vector for each device or node that it needs
 * (`groups`), without the one where it is already. See `expectedGroupsTouched`, also for node-limited routing. Left out:
 * what `trafficOf` leaves out, and that real tokens want some devices more than others.
 */
export function expectedBytesPerToken(sizes: GroupedExperts & TokenVector): number {
  return expectedGroupsTouched(sizes) * (1 - 1 / sizes.groups) * bytesBothWays('expectedBytesPerToken', sizes)
}

const bytesBothWays = (who: string, { width, dispatch, combine }: TokenVector): number =>
  width * (bytesIn(who, dispatch) + bytesIn(who, combine))

function checkMap(
  who: string,
  { tokens, numExperts }: Routing,
  { ranks, expertRank, tokenRank }: RankMap,
): void {
  demandWhole(`${who}: ranks`, ranks, 1, 1 << 14, 'It is the number of devices or nodes.')
  const fits = (name: string, list: Int32Array, length: number): void => {
    demand(
      list.length === length,
      `${who}: ${name} must have ${length} entries`,
      list.length,
      'Give one each.',
    )
    const odd = list.find((rank) => !(rank >= 0 && rank < ranks))
    demand(
      odd === undefined,
      `${who}: ${name} must be ranks from 0 to ${ranks - 1}`,
      odd,
      'Ranks count from 0.',
    )
  }
  fits('expertRank', expertRank, numExperts)
  fits('tokenRank', tokenRank, tokens)
}
