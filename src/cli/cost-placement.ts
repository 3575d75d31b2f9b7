import { demand, demandWhole, type LayerLoad, type Placement, placementOf, rankLoads } from '../index.js'
import { headed, readBytes } from '../node/files.js'
import { jsonOf } from '../node/json.js'

/** Placements of the layers of some loads, in their order, on so many ranks. */
export interface GivenPlacement {
  readonly path: string
  readonly ranks: number
  readonly placements: readonly Placement[]
  /** It was made of these very loads, and suits them better than others. */
  readonly byTheseLoads: boolean
}

/** What is used of the output of `place --json`. */
interface PlacedFile {
  readonly numExperts: number
  readonly ranks: number
  readonly layers: readonly PlacedLayer[]
}

interface PlacedLayer {
  readonly index: number
  readonly experts: readonly number[]
  /** Of the loads it was placed by. */
  readonly rankLoads?: readonly number[]
}

/** Reads the output of `place --json`, which must be of the experts and layers of these loads. */
export function readPlacement(path: string, loads: readonly LayerLoad[]): GivenPlacement {
  const file = placedIn(path)
  const { numExperts, ranks, layers } = file
  const [{ load }] = loads
  const again = 'Place these loads: moesim place --json.'
  const sized = `cost: ${path} must be of ${load.length} experts, as the loads are`
  demand(numExperts === load.length, sized, numExperts, again)
  const namesOf = (all: readonly { readonly index: number }[]): string =>
    all.map(({ index }) => index).join(', ')
  const named = `cost: ${path} must be of the layers of the loads, which are ${namesOf(loads)}`
  demand(namesOf(layers) === namesOf(loads), named, namesOf(layers), again)
  const [{ experts: first }] = layers
  demandWhole(`cost: ranks of ${path}`, ranks, 1, first.length, 'Each rank has a slot.')
  const evenly = `cost: the slots of ${path} must be a multiple of its ranks = ${ranks}`
  demand(first.length % ranks === 0, evenly, first.length, 'Ranks hold equally many.')
  const placements = layers.map(({ index, experts }) => {
    const alike = `cost: layer ${index} of ${path} must have ${first.length} slots, as the first has`
    demand(experts.length === first.length, alike, experts.length, again)
    return headed(`${path}: layer ${index}`, () => placementOf(experts, numExperts))
  })
  return { path, ranks, placements, byTheseLoads: isBy(loads, file, placements) }
}

/** Whether ranks have of these loads what they had of those that the file was placed by. */
const isBy = (
  loads: readonly LayerLoad[],
  { ranks, layers }: PlacedFile,
  placements: readonly Placement[],
): boolean =>
  loads.every(({ load }, layer) => {
    const found = Array.from(rankLoads(load, placements[layer], ranks))
    return JSON.stringify(found) === JSON.stringify(layers[layer].rankLoads)
  })

function placedIn(path: string): PlacedFile {
  const text = new TextDecoder().decode(readBytes(path))
  const file = placedFileOf(text)
  demand(
    file !== undefined,
    `cost: ${path} must be a placement`,
    text,
    'Give what moesim place --json prints.',
  )
  return file
}

/** The placement that a text is; undefined of one that is none. */
export function placedFileOf(text: string): PlacedFile | undefined {
  const json = jsonOf(text)
  return isPlaced(json) ? json : undefined
}

function isPlaced(json: unknown): json is PlacedFile {
  const { numExperts, layers } = (json ?? {}) as Partial<PlacedFile>
  return (
    Number.isSafeInteger(numExperts) &&
    Array.isArray(layers) &&
    layers.every((layer) => Number.isSafeInteger(layer?.index) && Array.isArray(layer.experts))
  )
}
