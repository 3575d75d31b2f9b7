import {
  demand,
  type ExpertsOnRanks,
  InputError,
  type LoadsOnRanks,
  loadsOnRanks,
  type ModelMemory,
} from '../index.js'
import { headed } from '../node/files.js'
import type { GivenLoads } from './loads.js'

/** Refuses loads of another model, as far as they tell. */
export function demandLoadsOf({ experts }: ModelMemory, { path, layers, topK }: GivenLoads): void {
  const [first] = experts
  const remedy = 'Name the model that was measured.'
  headed(path, () => {
    for (const { load } of layers) {
      const rule = `cost: the loads must be those of ${first.numExperts} experts, as the model has`
      demand(load.length === first.numExperts, rule, load.length, remedy)
    }
    const chosen = `cost: tokens must have chosen ${first.topK} experts, as the model has them choose`
    demand(topK === undefined || topK === first.topK, chosen, topK, remedy)
    const most = experts.reduce((sum, kind) => sum + kind.layers, 0)
    const counted = `cost: the loads must be those of at most ${most} layers, as many as the model has with experts`
    demand(layers.length <= most, counted, layers.length, remedy)
  })
}

/** `loadsOnRanks` of them; what is refused names the file, and a layer by its number there. */
export function givenLoadsOnRanks({ path, layers }: GivenLoads, where: ExpertsOnRanks): LoadsOnRanks {
  const loads = layers.map(({ load }) => load)
  return headed(path, () => {
    try {
      return loadsOnRanks(loads, where)
    } catch (error) {
      if (!(error instanceof InputError)) throw error
      const rule = error.rule.replace(/loads\[(\d+)\]/, (_, place) => `layer ${layers[Number(place)].index}`)
      throw new InputError(rule.replace('loadsOnRanks', 'cost'), error.value, error.remedy)
    }
  })
}
