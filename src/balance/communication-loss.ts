import { demandWhole } from '../errors.js'
import { chosenExperts } from './choice.js'
import { type DeviceLossOptions, expertsPerDevice } from './device-loss.js'
import { type Logits, type Loss, lossOf, validTokens } from './loss.js'
import { probabilitiesOf, weighProbabilities } from './probabilities.js'

export interface CommunicationLossOptions extends Omit<DeviceLossOptions, 'load'> {
  /** M: a token goes to at most so many devices. */
  readonly deviceLimit: number
}

/**
 * DeepSeek-V2's communication loss, Σ_d f''_d · P'_d: f''_d is D / (M T) times the number of tokens sent to device d, however
 * many of its experts they go to, and P'_d the sum of the device's mean probabilities. **1 at balance** if every token goes
 * to M devices, less by the same factor if to fewer; D/M when one device gets everything. `logits` is [T, E].
 *
 * Hand in `experts` from a device-limited router: the plain top-k keeps no limit. Source: DeepSeek-V2, arXiv 2405.04434
 * §2.2.3. Throws an InputError as `deviceLoss` does.
 */
export function communicationLoss<A extends Logits>(logits: A, options: CommunicationLossOptions): Loss<A> {
  const batch = validTokens('communicationLoss', logits, options)
  const { devices, deviceLimit, scoreFunction } = options
  const size = expertsPerDevice('communicationLoss', options)
  const limit = 'It is how many devices a token may be sent to.'
  demandWhole('communicationLoss: deviceLimit', deviceLimit, 1, devices, limit)
  const experts = chosenExperts(batch, options, scoreFunction)
  const sent = tokensSent(experts, experts.length / batch.tokens, size, devices)
  const factors = Float64Array.from({ length: options.numExperts }, (_, e) => {
    return (devices * sent[Math.floor(e / size)]) / (deviceLimit * batch.tokens * batch.tokens)
  })
  const pull = weighProbabilities(probabilitiesOf(batch, scoreFunction), () => factors)
  return lossOf(logits, options, batch, pull)
}

/** Tokens with at least one expert on each device, [D]. */
function tokensSent(experts: Int32Array, width: number, size: number, devices: number): Int32Array {
  const sent = new Int32Array(devices)
  for (let first = 0; first < experts.length; first += width) {
    const chosen = experts.subarray(first, first + width).filter((expert) => expert >= 0)
    for (const device of new Set(chosen.map((expert) => Math.floor(expert / size)))) sent[device]++
  }
  return sent
}
