import { demand, demandWhole } from '../errors.js'
import type { AuxLossOptions } from './aux-loss.js'
import { loadFor, relativeLoad } from './choice.js'
import { type Logits, type Loss, lossOf, validTokens } from './loss.js'
import { probabilitiesOf, weighProbabilities } from './probabilities.js'

export interface DeviceLossOptions extends AuxLossOptions {
  /** D: the experts stand on so many devices, E/D neighbours on each. */
  readonly devices: number
}

/**
 * DeepSeek-V2's device-level loss, Σ_d f'_d · P'_d: f'_d is the mean over a device's experts of E · n_i / Σn, and P'_d the
 * sum of their mean probabilities. **1 at balance**, D when one device gets everything; with a device for every expert it
 * is `auxLoss`. `logits` is [T, E].
 *
 * Source: DeepSeek-V2, arXiv 2405.04434 §2.2.3. Throws an InputError as `auxLoss` does, and if D does not divide E.
 */
export function deviceLoss<A extends Logits>(logits: A, options: DeviceLossOptions): Loss<A> {
  const batch = validTokens('deviceLoss', logits, options)
  const size = expertsPerDevice('deviceLoss', options)
  const load = loadFor(batch, options, options.scoreFunction)
  const ofDevice = new Float64Array(options.devices)
  relativeLoad(load).forEach((multiple, e) => {
    ofDevice[Math.floor(e / size)] += multiple / size
  })
  const factors = load.map((_, e) => ofDevice[Math.floor(e / size)] / batch.tokens)
  const pull = weighProbabilities(probabilitiesOf(batch, options.scoreFunction), () => factors)
  return lossOf(logits, options, batch, pull)
}

/** E/D. Throws an InputError if it is not whole. */
export function expertsPerDevice(
  who: string,
  { numExperts, devices }: Pick<DeviceLossOptions, 'numExperts' | 'devices'>,
): number {
  demandWhole(`${who}: devices`, devices, 1, numExperts, 'It is how many devices share the experts.')
  demand(
    numExperts % devices === 0,
    `${who}: devices must divide numExperts = ${numExperts}`,
    devices,
    'Every device holds equally many experts.',
  )
  return numExperts / devices
}
