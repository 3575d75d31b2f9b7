import { demand, demandWhole } from '../errors.js'
import { loadOf, ownSlotsOf, type Routing, widen } from '../router/routing.js'
import { sum } from '../stats.js'

/** A routing with rows that are only there to fill. */
export interface PaddedRouting extends Routing {
  /** [E] fillers of each expert: they count in the load, have weight 0, and stand behind a token's own slots. */
  readonly fillers: Int32Array
  /** K of the routing that was padded: the slots of each row before its fillers. */
  readonly ownSlots: number
}

/**
 * Fills every expert up to exactly `capacity` rows, T at most, as a fixed shape needs it. Megatron-LM
 * `moe_pad_expert_input_to_capacity`; which tokens fill is open there, and here the first that are not the expert's own.
 * Of all rows, 1 − 1/factor are then computed for nothing, and more where something was dropped. Pad last: what drops
 * assignments refuses a padded routing. Throws an InputError on an expert with more than `capacity` already.
 */
export function padToCapacity(routing: Routing, capacity: number): PaddedRouting {
  const rows = 'It is the rows of every expert, as megatronCapacity gives it.'
  demandWhole('padToCapacity: capacity', capacity, 0, Number.MAX_SAFE_INTEGER, rows)
  const load = loadOf(routing)
  const over = load.findIndex((count) => count > capacity)
  demand(
    over < 0,
    `padToCapacity: expert ${over} must have at most ${capacity} assignments`,
    load[over],
    'Apply the capacity first.',
  )
  return fillUp(
    routing,
    load.map((count) => Math.min(capacity, routing.tokens) - count),
  )
}

/**
 * Fills every expert up to the next multiple of `multiple` rows, T at most, as quantised kernels need it: 16 for fp8, 32
 * for mxfp8. The first tokens fill that are not the expert's own. Megatron-LM `pad_routing_map`.
 */
export function padToMultiple(routing: Routing, multiple: number): PaddedRouting {
  demandWhole('padToMultiple: multiple', multiple, 1, 1 << 20, 'Use 16 for fp8, 32 for mxfp8.')
  return fillUp(
    routing,
    loadOf(routing).map((count) => Math.min(Math.ceil(count / multiple) * multiple, routing.tokens) - count),
  )
}

function fillUp(routing: Routing, fillers: Int32Array): PaddedRouting {
  const { topK } = routing
  const ownSlots = ownSlotsOf(routing)
  const before = routing.fillers
  const added = chooseFillers(routing, fillers.slice())
  const width = topK + added.reduce((most, experts) => Math.max(most, experts.length), 0)
  const { experts, ...padded } = widen(routing, width, ownSlots)
  added.forEach((own, token) => experts.set(own, token * width + topK))
  const all = before === undefined ? fillers : fillers.map((count, e) => count + before[e])
  return { ...padded, experts, fillers: all, ownSlots }
}

/** The experts that each token fills, in ascending order; `missing` is counted down. */
function chooseFillers({ tokens, topK, numExperts, experts }: Routing, missing: Int32Array): number[][] {
  const lastToken = new Int32Array(numExperts).fill(-1)
  let short = sum(missing)
  return Array.from({ length: tokens }, (_, token) => {
    for (const expert of experts.subarray(token * topK, (token + 1) * topK)) lastToken[expert] = token
    const added: number[] = []
    for (let e = 0; short > 0 && e < numExperts; e++) {
      if (missing[e] === 0 || lastToken[e] === token) continue
      missing[e]--
      short--
      added.push(e)
    }
    return added
  })
}

/** Throws an InputError on a routing with fillers, for what would take them for tokens. */
export function refuseFillers(who: string, { fillers }: Routing): void {
  demand(fillers === undefined, `${who}: the routing must have no fillers`, fillers, 'Pad last.')
}
