import type { StepContext } from '../router/protocol.js'
import type { Routing } from '../router/routing.js'

/**
 * What a simulation does with a routing before the experts see it: usually a capacity rule, an order and
 * `applyCapacity`, and whatever follows, such as `renormalize` or `padToCapacity`. Any function will do.
 */
export type CapacityPolicy = (routing: Routing, context: StepContext) => Routing
