import { demandNothingElse, demandWhole } from '../errors.js'
import { type ModelConfig, sublayersOf } from './config.js'
import type { PairOperations } from './kinds/kind.js'
import { operationsOf } from './kinds/operations.js'
import { countParameters } from './parameters.js'

export interface FlopOptions {
  /** New tokens of one sequence, which see each other and what came before: 1 for a step of decoding. */
  readonly tokens: number
  /** Tokens before them, whose keys and values are in the cache; 0 unless given. */
  readonly contextTokens?: number
  /** New tokens whose logits are asked for: 1 unless given, all of them in training. */
  readonly logits?: number
}

export interface FlopCount {
  /** Floating-point operations, a multiplication and an addition counting as two. */
  readonly total: number
  /** Those of a part's weights under its name in `countParameters`, and `attentionScores`, `indexerScores`, `stateScan`. */
  readonly parts: Readonly<Record<string, number>>
}

/**
 * Operations of a forward pass.
 *
 * Two for each weight that a token reads, none for the embedding, which is looked up; and what each kind of layer does
 * beside its weights, by the formula that stands with it: pairs of a token and one it sees, and the recurrence of a state,
 * step by step. A training step is about three times as much, with logits of all tokens.
 *
 * Left out: softmax, norms' statistics, activations, rotation of positions, the streams of hyper-connections, blocks for
 * multi-token prediction, tokens computed to pad a tile or a chunk, and that long chunks of a state-space layer are often
 * computed as matrix products, which takes more operations in less time.
 *
 * Throws an InputError on a model that contradicts itself, or a number of tokens that is none.
 */
export function flopsOf(model: ModelConfig, options: FlopOptions): FlopCount {
  const { tokens, contextTokens = 0, logits = 1, ...rest } = options
  demandNothingElse('flopsOf: the options', rest)
  const most = 1 << 30
  demandWhole('flopsOf: tokens', tokens, 1, most, 'Use 1 for a step of decoding.')
  demandWhole(
    'flopsOf: contextTokens',
    contextTokens,
    0,
    most,
    'It is the number of tokens before the new ones.',
  )
  demandWhole('flopsOf: logits', logits, 0, tokens, 'Only new tokens have logits.')
  const { parts: counts, active } = countParameters(model)
  const parts: Record<string, number> = {}
  const add = (part: string, operations: number): void => {
    if (operations > 0) parts[part] = (parts[part] ?? 0) + operations
  }
  for (const [part, count] of Object.entries(counts)) {
    if (part !== 'embedding' && part !== 'lmHead') add(part, 2 * count.active * tokens)
  }
  add('lmHead', 2 * (active.withHead - active.backbone) * logits)
  for (const sublayer of sublayersOf(model)) {
    const { pairs = [], state = 0 } = operationsOf(sublayer)
    for (const each of pairs) add(each.part, pairOperations(each, tokens, contextTokens))
    add('stateScan', state * tokens)
  }
  return { total: Object.values(parts).reduce((sum, operations) => sum + operations, 0), parts }
}

function pairOperations(
  { each, eachCached = each, ratio = 1, window = endless, chosen = endless }: PairOperations,
  tokens: number,
  context: number,
): number {
  const most = Math.min(window, chosen * ratio)
  const fresh = seen(tokens, 0, most)
  const cached = seen(tokens, context, most) - fresh
  return (fresh * each + cached * eachCached) / ratio
}

const endless = Number.MAX_SAFE_INTEGER

/** Tokens that `tokens` new ones see together: each those before it and itself, at most so many. */
function seen(tokens: number, context: number, most: number): number {
  const growing = Math.min(tokens, Math.max(0, most - context)) // those that still see all
  return growing * context + (growing * (growing + 1)) / 2 + (tokens - growing) * most
}
