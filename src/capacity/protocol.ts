import type { StepContext } from '../router/protocol.js'
import type { Routing } from '../router/routing.js'

/**
 * What a simulation does with a routing before the experts see it: usually a capacity rule, an order and
 * `applyCapacity`, and whatever follows, such as `renormalize` or `padToCapacity`. Any function will do.
 */
export type CapacityPolicy = (routing: Routing, context: StepContext) => Routing

/** What most capacity rules read: a batch of T tokens that choose K of E experts each. A Routing is one. */
export type RoutingSizes = Pick<Routing, 'tokens' | 'topK' | 'numExperts'>
