import { demand, InputError } from '../errors.js'

/** A table of text: the names of its columns, and rows of as many cells. */
export interface Csv {
  readonly columns: readonly string[]
  readonly rows: readonly (readonly string[])[]
}

/** One cell and what ends it. A cell with a comma, a quote or a line feed stands in quotes, its own quotes doubled. */
const cell = /(?:"([^"]*(?:""[^"]*)*)"|([^",\r\n]*))(,|\r?\n|$)/y

/**
 * Reads comma-separated values with a row of column names first, as RFC 4180 describes them; lines may end in LF. Strict: a
 * row of another length, a stray quote, a column twice or without a name is refused with its line, as an InputError.
 */
export function readCsv(text: string): Csv {
  const [columns, ...rows] = recordsOf(text.replace(/^\uFEFF/, ''))
  const remedy = 'Start with one line of column names.'
  columns.forEach((name, i) => {
    const fresh = name !== '' && columns.indexOf(name) === i
    demand(fresh, 'csv: every column must have a name of its own', name, remedy)
  })
  rows.forEach((row, i) => {
    const what = `csv: row ${i + 1} must have ${columns.length} cells, as there are columns`
    demand(row.length === columns.length, what, row.length, 'Fill every cell, and leave no empty line.')
  })
  return { columns, rows }
}

function recordsOf(text: string): [string[], ...string[][]] {
  const records: [string[], ...string[][]] = [[]]
  let record = records[0]
  cell.lastIndex = 0
  for (;;) {
    const at = cell.lastIndex
    const match = cell.exec(text)
    if (match === null) {
      const line = text.slice(at).split('\n', 1)[0]
      throw new InputError('csv: a quote must open a cell and close it', line, 'Double a quote that is text.')
    }
    const [, quoted, plain, end] = match
    record.push(quoted?.replaceAll('""', '"') ?? plain)
    if (end === '' || (end !== ',' && cell.lastIndex === text.length)) return records
    if (end === ',') continue
    record = []
    records.push(record)
  }
}

/** Rows as text that `readCsv` reads: quotes only where a cell needs them, lines that end in LF. */
export const writeCsv = (rows: readonly (readonly (string | number | undefined)[])[]): string =>
  rows.map((row) => `${row.map((value) => written(String(value ?? ''))).join(',')}\n`).join('')

const written = (text: string): string => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text)
