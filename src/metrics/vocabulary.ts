import { demand } from '../errors.js'
import type { Routing } from '../router/routing.js'

/** What the tokens of one id chose first. */
export interface WordPreference {
  readonly tokenId: number
  /** How often the id occurs. */
  readonly count: number
  /** The expert most often its first, the lower index among equals, and the share of its occurrences; −1 and 0 where all their slots are empty. */
  readonly expert: number
  readonly share: number
}

export interface VocabularySpecialization {
  /** The mean of `share` over all ids, seldom ones too. */
  readonly mean: number
  /** Ids that occur `fewest` times or more, in ascending order. */
  readonly words: readonly WordPreference[]
}

/**
 * How surely a token's id tells its first expert. `tokenIds` is [T]: the tokens' own, or those that follow them, or those
 * predicted to. The mean counts an id that occurs once as perfectly sure: read it beside what shuffled ids give (`shuffle`).
 *
 * Source: OLMoE, arXiv 2409.02060, §5; its listings ask for 10 occurrences.
 */
export function vocabularySpecialization(
  { tokens, topK, experts }: Routing,
  tokenIds: Int32Array,
  fewest = 10,
): VocabularySpecialization {
  demand(
    tokenIds.length === tokens,
    `vocabularySpecialization: tokenIds must be [T], one for each of ${tokens} tokens`,
    tokenIds,
    'Take them from the batch that was routed.',
  )
  const choices = new Map<number, number[]>()
  tokenIds.forEach((id, token) => {
    const own = choices.get(id)
    const first = experts[token * topK]
    if (own === undefined) choices.set(id, [first])
    else own.push(first)
  })
  const words = [...choices].sort(([a], [b]) => a - b).map(([id, first]) => preferenceOf(id, first))
  return {
    mean: words.reduce((sum, { share }) => sum + share, 0) / Math.max(1, words.length),
    words: words.filter(({ count }) => count >= fewest),
  }
}

function preferenceOf(tokenId: number, firstChoices: number[]): WordPreference {
  const sorted = firstChoices.filter((expert) => expert >= 0).sort((a, b) => a - b)
  let expert = -1
  let most = 0
  for (let from = 0, next = 0; from < sorted.length; from = next) {
    while (sorted[next] === sorted[from]) next++
    if (next - from > most) {
      most = next - from
      expert = sorted[from]
    }
  }
  return { tokenId, count: firstChoices.length, expert, share: most / firstChoices.length }
}
