import { demand } from '../errors.js'
import type { AuxLossOptions } from './aux-loss.js'
import { chosenExperts, relativeLoad } from './choice.js'
import { gatherRows, type Logits, type Loss, lossOf, validTokens } from './loss.js'
import { probabilitiesOf, weighProbabilities } from './probabilities.js'

export interface SequenceAuxLossOptions extends Omit<AuxLossOptions, 'load'> {
  /** [T], the sequence of each token: any whole numbers in any order, as in `Batch`. */
  readonly sequences: Int32Array
}

export interface SequenceAuxLoss<A extends Logits> extends Loss<A> {
  /** The sequences that have valid tokens, in the order in which they first appear. */
  readonly sequences: Int32Array
  /** The loss of each; `value` is their mean. */
  readonly values: Float64Array
  /** [sequences, E], the tokens counted for each expert. */
  readonly load: Float64Array
}

/**
 * The mean over sequences of the load-balancing loss of each: **1 at balance**. `logits` is [T, E].
 *
 * With sequences of one length it is Megatron-LM's `seq_aux_loss`, whose tokens stand at position · B + sequence, so that
 * `sequences[t]` is `t % B`; OLMo-core calls it granularity `instance`. Every sequence is divided by its own valid tokens.
 *
 * Source: DeepSeek-V3, arXiv 2412.19437, eqs. 17–20. Throws an InputError as `auxLoss` does.
 */
export function sequenceAuxLoss<A extends Logits>(
  logits: A,
  options: SequenceAuxLossOptions,
): SequenceAuxLoss<A> {
  const batch = validTokens('sequenceAuxLoss', logits, options)
  const { numExperts, scoreFunction, coefficient = 1 } = options
  demand(
    options.sequences.length === batch.allTokens,
    `sequenceAuxLoss: sequences must hold one for each of ${batch.allTokens} tokens`,
    options.sequences,
    'Give every token the number of its sequence.',
  )
  const p = probabilitiesOf(batch, scoreFunction)
  const experts = chosenExperts(batch, options, scoreFunction)
  const { names, places, lengths } = numberSequences(gatherRows(options.sequences, 1, batch.rows))

  const load = new Float64Array(names.length * numExperts)
  const width = experts.length / batch.tokens
  experts.forEach((expert, slot) => {
    if (expert >= 0) load[places[Math.floor(slot / width)] * numExperts + expert]++
  })
  const factors = lengths.map((length, s) => {
    const multiples = relativeLoad(load.subarray(s * numExperts, (s + 1) * numExperts))
    return multiples.map((multiple) => multiple / (length * names.length))
  })
  const pull = weighProbabilities(p, (token) => factors[places[token]])

  const values = new Float64Array(names.length)
  places.forEach((s, token) => {
    factors[s].forEach((factor, e) => {
      values[s] += coefficient * names.length * factor * p.values[token * numExperts + e]
    })
  })
  return { ...lossOf(logits, options, batch, pull), sequences: Int32Array.from(names), values, load }
}

/** Numbers sequences from 0 in the order of first appearance: the name of each, each token's place, and the lengths. */
function numberSequences(sequences: Float64Array): {
  names: number[]
  places: Int32Array
  lengths: number[]
} {
  const numbers = new Map<number, number>()
  const lengths: number[] = []
  const places = Int32Array.from(sequences, (name) => {
    const place = numbers.get(name) ?? numbers.size
    numbers.set(name, place)
    lengths[place] = (lengths[place] ?? 0) + 1
    return place
  })
  return { names: [...numbers.keys()], places, lengths }
}
