import { styleText } from 'node:util'

const blocks = [...'▁▂▃▄▅▆▇█']
/** In multiples of the mean load: a block stands for less than its bound, the last for everything above. */
const bounds = [0.25, 0.5, 0.75, 1, 1.25, 1.5, 2]
const none = '·'

/** How much room there is, and whether colours show. */
export interface Canvas {
  readonly columns: number
  readonly colors: boolean
}

/**
 * The load of experts 0 … E − 1 as rows of blocks, one an expert, by its multiple of the mean; each row starts with the
 * number of its first expert. The heights say it all: colour only repeats them.
 */
export function heatMap(load: ArrayLike<number>, { columns, colors }: Canvas): string {
  const loads = Array.from(load)
  const mean = loads.reduce((sum, count) => sum + count, 0) / loads.length
  const label = String(loads.length - 1).length + 2
  const perRow = [128, 64, 32].find((width) => label + width <= columns) ?? 16
  const lines: string[] = []
  for (let first = 0; first < loads.length; first += perRow) {
    const cells = loads.slice(first, first + perRow).map((count) => cell(count, mean, colors))
    lines.push(`${String(first).padStart(label - 1)} ${cells.join('')}\n`)
  }
  return lines.join('')
}

/** What the blocks mean. */
export function legend({ colors }: Canvas): string {
  const steps = blocks.map((block, level) => {
    const meaning = level < bounds.length ? `< ${bounds[level]}` : `≥ ${bounds[level - 1]}`
    return `${paint(block, level, colors)} ${meaning}`
  })
  return `${none} none  ${steps.join('  ')} × the mean load\n`
}

function cell(count: number, mean: number, colors: boolean): string {
  if (count === 0) return none
  const level = bounds.filter((bound) => count >= bound * mean).length
  return paint(blocks[level], level, colors)
}

/** Blue where work is missing, yellow and red where there is too much. */
function paint(block: string, level: number, colors: boolean): string {
  if (!colors) return block
  const color = level < 2 ? 'blue' : level < 5 ? 'green' : level < 7 ? 'yellow' : 'red'
  return styleText(color, block, { validateStream: false })
}
