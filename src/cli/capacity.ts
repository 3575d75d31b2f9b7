import {
  applyCapacity,
  batchPrioritizedOrder,
  type CapacityPolicy,
  choiceMajorOrder,
  megatronCapacity,
  probabilityOrder,
  type Routing,
  type RoutingSizes,
  randomOrder,
  type StepContext,
} from '../index.js'
import { demandUsage, type Given, oneOf, real } from './given.js'

/** A capacity that was asked for. */
export interface GivenCapacity {
  readonly words: string
  /** As data. */
  readonly made: object
  /** C, assignments of a step that an expert takes in a layer. */
  readonly capacity: number
  readonly policy: CapacityPolicy
}

type Order = (routing: Routing, context: StepContext) => Int32Array

const drops = ['probs', 'first-come', 'random', 'priority'] as const

const orders: Record<(typeof drops)[number], { words: string; order: Order }> = {
  probs: { words: 'the smallest weights are dropped', order: probabilityOrder },
  'first-come': { words: 'first choices first, then by position', order: choiceMajorOrder },
  random: {
    words: 'who is dropped is random',
    order: (routing, { random, layer, step }) => randomOrder(routing, random('capacity', layer, step)),
  },
  priority: { words: 'tokens with a large weight first', order: batchPrioritizedOrder },
}

/** Reads --capacity-factor and --drop; nothing where the first is absent. */
export function capacityOf(given: Given, sizes: RoutingSizes): GivenCapacity | undefined {
  if (given.capacityFactor === undefined) return undefined
  const remedy = 'Use 1.25 for a quarter more room than a mean load.'
  const factor = real(given, 'capacityFactor', 1, remedy)
  demandUsage(factor > 0, '--capacity-factor must be above 0', given.capacityFactor, remedy)
  const drop = oneOf(given, 'drop', 'probs', drops)
  const { words, order } = orders[drop]
  const capacity = megatronCapacity(sizes, { factor })
  return {
    words: `capacity factor ${factor}, ${capacity} assignments an expert: ${words}`,
    made: { factor, drop, capacity },
    capacity,
    policy: (routing, context) => applyCapacity(routing, { capacity, order: order(routing, context) }),
  }
}
