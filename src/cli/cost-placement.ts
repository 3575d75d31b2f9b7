import { demand, demandWhole, type LayerLoad, type Placement, placementOf } from '../index.js'
import { readBytes } from '../node/files.js'

/** Placements of the layers of some loads, in their order, on so many ranks. */
export interface GivenPlacement {
  readonly ranks: number
  readonly placements: readonly Placement[]
}

/** What is used of the output of `place --json`. */
interface PlacedFile {
  readonly numExperts: number
  readonly ranks: number
  readonly layers: readonly { readonly index: number; readonly experts: readonly number[] }[]
}

/** Reads the output of `place --json`, which must be of the experts and layers of these loads. */
export function readPlacement(path: string, loads: readonly LayerLoad[]): GivenPlacement {
  const { numExperts, ranks, layers } = placedIn(path)
  const [{ load }] = loads
  const again = 'Place these loads: moesim place --json.'
  const sized = `cost: ${path} must be of ${load.length} experts, as the loads are`
  demand(numExperts === load.length, sized, numExperts, again)
  const namesOf = (all: readonly { readonly index: number }[]): string =>
    all.map(({ index }) => index).join(', ')
  const named = `cost: ${path} must be of the layers of the loads, which are ${namesOf(loads)}`
  demand(namesOf(layers) === namesOf(loads), named, namesOf(layers), again)
  const placements = layers.map(({ index, experts }) => {
    demandWhole(`cost: ranks of ${path}`, ranks, 1, experts.length, 'Each rank has a slot.')
    const evenly = `cost: the slots of layer ${index} in ${path} must be a multiple of its ranks = ${ranks}`
    demand(experts.length % ranks === 0, evenly, experts.length, 'Ranks hold equally many.')
    return placementOf(experts, numExperts)
  })
  return { ranks, placements }
}

function placedIn(path: string): PlacedFile {
  const text = new TextDecoder().decode(readBytes(path))
  const json = jsonOf(text)
  demand(isPlaced(json), `cost: ${path} must be a placement`, text, 'Give what moesim place --json prints.')
  return json
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function isPlaced(json: unknown): json is PlacedFile {
  const { numExperts, layers } = (json ?? {}) as Partial<PlacedFile>
  return (
    Number.isSafeInteger(numExperts) &&
    Array.isArray(layers) &&
    layers.every((layer) => Number.isSafeInteger(layer?.index) && Array.isArray(layer.experts))
  )
}
