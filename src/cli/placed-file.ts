import { jsonOf } from './json.js'

/** What is used of the output of `place --json`. */
export interface PlacedFile {
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
