// How training runs are printed.
import { heatMap } from '../../dist/cli/heatmap.js'
import type { Learning } from './language-model.js'
import type { Report } from './student.js'

/** Means over the seeds and their standard deviations; `alone` are the reports of the same seeds without balancing. */
export function figures(reports: readonly Report[], alone: readonly Report[]): string {
  const columns = [
    reports.map(({ error }) => 100 * error),
    reports.map(({ error }, seed) => error / alone[seed].error),
    reports.map(({ globalViolation }) => globalViolation),
    reports.map(({ batchViolation }) => batchViolation),
    reports.map(({ bits }) => bits),
  ]
  return columns.map((values) => spread(values).padStart(15)).join('')
}

/** Such as `0.08 ± 0.02`. */
function spread(values: readonly number[]): string {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0)
  return `${mean.toFixed(2)} ± ${Math.sqrt(squares / (values.length - 1)).toFixed(2)}`
}

/** The loads of all steps in so many rows of blocks, one block an expert; a row is the sum of its steps. */
export function loadRows(loads: readonly Int32Array[], rows: number): string[] {
  return Array.from({ length: rows }, (_, row) => {
    const part = loads.slice((row * loads.length) / rows, ((row + 1) * loads.length) / rows)
    const sum = part[0].map((_, expert) => part.reduce((count, load) => count + load[expert], 0))
    const [, blocks] = heatMap(sum, { columns: 0, colors: false }).trim().split(' ')
    return blocks
  })
}

/** The mean loss and the load of each layer, in so many rows. */
export function learningRows({ losses, loads }: Learning, rows: number): string[] {
  const strips = loads.map((ofLayer) => loadRows(ofLayer, rows))
  return Array.from({ length: rows }, (_, row) => {
    const part = losses.slice((row * losses.length) / rows, ((row + 1) * losses.length) / rows)
    const mean = part.reduce((sum, loss) => sum + loss, 0) / part.length
    return [mean.toFixed(2).padEnd(13), ...strips.map((strip) => strip[row])].join('  ')
  })
}
