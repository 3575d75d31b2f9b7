import { InputError } from '../errors.js'

/** The sum of a load [E], which must be finite, as its values must, and none below 0. `figure` is what asks for it. */
export function demandLoad(figure: string, load: ArrayLike<number>): number {
  let total = 0
  for (let e = 0; e < load.length; e++) {
    total += load[e]
    if (!(load[e] >= 0 && total < Infinity))
      throw new InputError(
        `${figure}: load must be finite, at least 0`,
        load[e],
        'It is how many tokens an expert has.',
      )
  }
  return total
}
