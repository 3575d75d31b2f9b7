import { demand } from '../errors.js'
import { readCsv } from '../formats/csv.js'

/** The load of one layer. */
export interface LayerLoad {
  /** The layer's number in the file. */
  readonly index: number
  /** [E] */
  readonly load: Float64Array
}

/**
 * Reads loads from CSV with a row for each expert of each layer, in any order: columns `expert` (from 0) and `load`, and
 * `layer` unless there is only one. Throws an InputError on other columns, and on an expert that is missing or stands
 * twice.
 */
export function readLoadCsv(text: string): LayerLoad[] {
  const { columns, rows } = readCsv(text)
  const known = columns.every((name) => ['layer', 'expert', 'load'].includes(name))
  demand(
    known && columns.includes('expert') && columns.includes('load'),
    'readLoadCsv: the columns must be expert and load, and layer if there are several',
    columns.join(','),
    'Name them so, and leave out any other.',
  )
  const [layerAt, expertAt, loadAt] = ['layer', 'expert', 'load'].map((name) => columns.indexOf(name))
  const layers = new Map<number, Map<number, number>>()
  for (const row of rows) {
    const layer = layerAt < 0 ? 0 : whole('layer', row[layerAt])
    const expert = whole('expert', row[expertAt])
    const own = layers.get(layer) ?? new Map<number, number>()
    demand(
      !own.has(expert),
      `readLoadCsv: layer ${layer} must name each expert once`,
      expert,
      'Sum its rows.',
    )
    layers.set(layer, own.set(expert, amount(row[loadAt])))
  }
  demand(layers.size > 0, 'readLoadCsv: there must be a row for each expert', 0, 'Give one at least.')
  return [...layers].sort(([a], [b]) => a - b).map(([index, own]) => ({ index, load: complete(index, own) }))
}

function complete(layer: number, own: Map<number, number>): Float64Array {
  let last = 0
  for (const expert of own.keys()) last = Math.max(last, expert)
  const rule = `readLoadCsv: layer ${layer} must name every expert from 0 to ${last}`
  return Float64Array.from({ length: own.size }, (_, e) => {
    const load = own.get(e)
    demand(load !== undefined, rule, `none for ${e}`, 'An expert without a token has load 0.')
    return load
  })
}

function whole(name: string, text: string): number {
  const holds = /^\d{1,9}$/.test(text)
  demand(holds, `readLoadCsv: ${name} must be a whole number below 1e9`, text, 'Count from 0.')
  return Number(text)
}

function amount(text: string): number {
  const load = text.trim() === '' ? Number.NaN : Number(text)
  const holds = load >= 0 && load < Infinity
  demand(
    holds,
    'readLoadCsv: load must be a finite number of at least 0',
    text,
    'Give the tokens of that expert.',
  )
  return load
}
