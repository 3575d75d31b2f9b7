/** Runs as text: tables, the headline, and what changed since another run. */
import type { Row, Table } from './rounds.js'

export interface Run {
  readonly date: string
  readonly machine: string
  readonly peers: string
  readonly tables: Table[]
}

/** Whether a value that was read has all that a run is compared by. */
export function isRun(value: unknown): value is Run {
  const { date, machine, tables } = (value ?? {}) as Partial<Run>
  return (
    typeof date === 'string' && typeof machine === 'string' && Array.isArray(tables) && tables.every(isTable)
  )
}

function isTable(value: unknown): value is Table {
  const { title, rows } = (value ?? {}) as Partial<Table>
  return typeof title === 'string' && Array.isArray(rows) && rows.every(isRow)
}

function isRow(value: unknown): value is Row {
  const { name, median, low, high, ratio } = (value ?? {}) as Partial<Row>
  return typeof name === 'string' && [median, low, high, ratio].every(Number.isFinite)
}

/** Three significant digits at least, and no exponent. */
const ms = (value: number): string => (value >= 100 ? value.toFixed(0) : value.toPrecision(3))

export function printed({ title, rows }: Table): string {
  const width = Math.max(...rows.map(({ name }) => name.length), 16)
  const head = `${title}\n${'ms'.padEnd(width)}    median   25 to 75 %         times the first`
  const lines = rows.map(({ name, median, low, high, ratio, note = '' }) => {
    const spread = `${ms(low)} to ${ms(high)}`
    const cells = [
      name.padEnd(width),
      ms(median).padStart(10),
      '  ',
      spread.padEnd(18),
      ratio.toFixed(2).padStart(8),
    ]
    return `${cells.join(' ')}   ${note}`.trimEnd()
  })
  return [head, ...lines].join('\n')
}

/** For the README: how many times as long each peer takes. */
export function headline({ date, machine, tables }: Run): string {
  const compared = tables.filter(({ rows }) => rows[0].name === 'moesim' && rows.some(isPeer))
  const names = [...new Set(compared.flatMap(({ rows }) => rows.filter(isPeer).map(({ name }) => name)))]
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`
  const body = compared.map(({ title, rows }) => {
    const times = names.map((name) => rows.find((row) => row.name === name)?.ratio.toFixed(1) ?? '')
    return line([title, ms(rows[0].median), ...times])
  })
  const head = ['times as long as moesim', 'moesim, ms', ...names]
  return [`${date}, ${machine}`, '', line(head), line(head.map(() => '---')), ...body].join('\n')
}

const isPeer = ({ name }: Row): boolean => !name.startsWith('moesim')

/** Rows whose quartiles lie apart from those of the run before, and those that it does not have. */
export function changes(before: Run, now: Run): string {
  const lines: string[] = []
  const missing: string[] = []
  for (const { title, rows } of now.tables) {
    const earlier = before.tables.find((table) => table.title === title)
    for (const row of rows) {
      const old = earlier?.rows.find(({ name }) => name === row.name)
      if (old === undefined) missing.push(`${title}: ${row.name}  has nothing to compare with`)
      if (old === undefined || (row.low <= old.high && old.low <= row.high)) continue
      const percent = Math.round((row.median / old.median - 1) * 100)
      const change = `${percent > 0 ? '+' : ''}${percent} %`
      const ratios = `${old.ratio.toFixed(2)} → ${row.ratio.toFixed(2)} times the first`
      lines.push(`${title}: ${row.name}  ${ms(old.median)} → ${ms(row.median)} ms, ${change}; ${ratios}`)
    }
  }
  const head = `Since ${before.date} (${before.machine}), beyond the spread:`
  return [lines.length > 0 ? head : `${head} nothing.`, ...lines, ...missing].join('\n')
}
