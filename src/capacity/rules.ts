import { demand, demandNothingElse, demandWhole } from '../errors.js'
import { loadOf, type Routing, type RoutingSizes } from '../router/routing.js'

// How many assignments an expert takes, C, by the rule of each code base. They differ in rounding, in whether K counts,
// and in their least value; at a mean load of one or two that is the difference between 10 % and 36 % dropped.

/** Megatron-LM `get_capacity`: ⌈T·K / E · factor⌉, and `least` at least. Above T it drops nothing. */
export function megatronCapacity(
  { tokens, topK, numExperts }: RoutingSizes,
  { factor, least = 0, ...rest }: { factor: number; least?: number },
): number {
  demandFactor('megatronCapacity', factor, rest)
  demandLeast('megatronCapacity', least)
  return Math.max(Math.ceil(((tokens * topK) / numExperts) * factor), least)
}

/**
 * DeepSpeed `_capacity`: ⌈T / E · factor·K⌉ in float32, and `least` at least (4 in its layer). Its float32 matters where
 * the product is a whole number: 50 · 1.1 is 55 there, and 56 by the ceiling of a float64.
 * Without dropping (`drop_tokens=False`) its capacity is `largestLoad`.
 */
export function deepspeedCapacity(
  { tokens, topK, numExperts }: RoutingSizes,
  { factor, least = 4, ...rest }: { factor: number; least?: number },
): number {
  demandFactor('deepspeedCapacity', factor, rest)
  demandLeast('deepspeedCapacity', least)
  const perExpert = Math.fround(tokens / numExperts)
  return Math.max(Math.ceil(Math.fround(perExpert * Math.fround(factor * topK))), least)
}

/**
 * Tutel `extract_critical`: K · ⌊factor · ⌈T / E⌉⌋, rounded up to a multiple of `alignment`. A factor of 0 asks for the
 * largest load, so that nothing is dropped; a negative one for the largest load, but at most what −factor gives.
 */
export function tutelCapacity(
  routing: Routing,
  { factor, alignment = 1, ...rest }: { factor: number; alignment?: number },
): number {
  demandNothingElse('tutelCapacity: the options', rest)
  demand(Number.isFinite(factor), 'tutelCapacity: factor must be a finite number', factor, 'Use 1.25, or 0.')
  demandWhole('tutelCapacity: alignment', alignment, 1, 1 << 20, 'Use 1 for none.')
  const { tokens, topK, numExperts } = routing
  const fixed = topK * Math.floor(Math.abs(factor) * Math.ceil(tokens / numExperts))
  const largest = largestLoad(routing)
  const capacity = factor > 0 ? fixed : factor === 0 ? largest : Math.min(fixed, largest)
  return Math.ceil(capacity / alignment) * alignment
}

/** MegaBlocks `expert_capacity`: ⌊factor · K·T / E⌋; where that is 0, the largest load, so that nothing is dropped. */
export function megablocksCapacity(routing: Routing, { factor, ...rest }: { factor: number }): number {
  demandNothingElse('megablocksCapacity: the options', rest)
  const { tokens, topK, numExperts } = routing
  demand(
    factor >= 0 && factor < Infinity,
    'megablocksCapacity: factor must be a finite number of at least 0',
    factor,
    'Use 1, or 0 to drop nothing.',
  )
  return Math.floor(factor * ((topK * tokens) / numExperts)) || largestLoad(routing)
}

/**
 * flaxformer `MoeLayer`: factor · T / E rounded half to even, as Python's `round`; 4 at least. T is that of one group
 * (see `groupwise`); K does not count.
 */
export function flaxformerCapacity(
  { tokens, numExperts }: RoutingSizes,
  { factor, least = 4, ...rest }: { factor: number; least?: number },
): number {
  demandFactor('flaxformerCapacity', factor, rest)
  demandLeast('flaxformerCapacity', least)
  return Math.max(roundHalfToEven((factor * tokens) / numExperts), least)
}

/**
 * ST-MoE, arXiv 2202.08906: ⌊T · factor / E⌋, 4 at least; K does not count. Its factors are 1.25 in training and 2 in
 * evaluation.
 */
export function stMoeCapacity(
  { tokens, numExperts }: RoutingSizes,
  { factor, least = 4, ...rest }: { factor: number; least?: number },
): number {
  demandFactor('stMoeCapacity', factor, rest)
  demandLeast('stMoeCapacity', least)
  return Math.max(Math.floor((tokens * factor) / numExperts), least)
}

/** Switch Transformer, arXiv 2101.03961, eq. 3: ⌊T · factor / E⌋, for one expert a token. */
export function switchCapacity(
  { tokens, numExperts }: RoutingSizes,
  { factor, ...rest }: { factor: number },
): number {
  demandFactor('switchCapacity', factor, rest)
  return Math.floor((tokens * factor) / numExperts)
}

/** NLLB-MoE in Hugging Face transformers, two experts a token: 2 · ⌈T / E⌉. */
export function nllbCapacity({ tokens, numExperts }: RoutingSizes): number {
  return 2 * Math.ceil(tokens / numExperts)
}

/**
 * Megatron-LM `moe_expert_rank_capacity_factor`: the rows that a rank has room for, ⌊T·K / ranks · factor⌋ rounded up to
 * a multiple of `alignment`. T counts the tokens of all ranks together. For `applyCapacity` with as many ranks.
 */
export function megatronRankCapacity(
  { tokens, topK }: RoutingSizes,
  { factor, ranks, alignment = 1, ...rest }: { factor: number; ranks: number; alignment?: number },
): number {
  demandFactor('megatronRankCapacity', factor, rest)
  demandWhole('megatronRankCapacity: ranks', ranks, 1, 1 << 20, 'It is the number of expert-parallel ranks.')
  demandWhole('megatronRankCapacity: alignment', alignment, 1, 1 << 20, 'Use 1 for none.')
  return Math.ceil(Math.floor(((tokens * topK) / ranks) * factor) / alignment) * alignment
}

/** The capacity that just drops nothing: assignments of the most loaded expert. */
export function largestLoad(routing: Routing): number {
  return loadOf(routing).reduce((most, count) => Math.max(most, count), 0)
}

function demandFactor(who: string, factor: number, rest: object): void {
  demandNothingElse(`${who}: the options`, rest)
  const remedy = 'Use 1.25 for a quarter more room than a mean load; leave the capacity out to drop nothing.'
  demand(factor > 0 && factor < Infinity, `${who}: factor must be a finite number above 0`, factor, remedy)
}

function demandLeast(who: string, least: number): void {
  demandWhole(`${who}: least`, least, 0, Number.MAX_SAFE_INTEGER, 'Use 0 for none.')
}

function roundHalfToEven(value: number): number {
  const below = Math.floor(value)
  if (value - below !== 0.5) return Math.round(value)
  return below % 2 === 0 ? below : below + 1
}
