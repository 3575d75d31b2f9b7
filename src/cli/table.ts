/** Rows of text in aligned columns under a header, to the right but for names in front. One line each, no frame. */
export function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const columns = header.map((title, i) => {
    const cells = rows.map((row) => row[i])
    const right = i > 0 || /^[\d,.]+$/.test(cells[0])
    const width = Math.max(...[title, ...cells].map(widthOf))
    const align = (cell: string): string => {
      const space = ' '.repeat(width - widthOf(cell))
      return right ? space + cell : cell + space
    }
    return [title, ...cells].map(align)
  })
  const lines = [header, ...rows].map((_, line) =>
    columns
      .map((column) => column[line])
      .join('  ')
      .trimEnd(),
  )
  return `${lines.join('\n')}\n`
}

/** A text without the signs that a terminal obeys: names come from files of anybody. */
export const visible = (text: string): string => text.replace(/\p{Cc}/gu, '\ufffd')

/** A name in few enough letters for a line. */
export const clipped = (name: string): string => (name.length > 120 ? `${name.slice(0, 117)}...` : name)

const widthOf = (text: string): number => [...text].length

/** 31577940288 as 31,577,940,288: the same in every locale. */
export const grouped = (whole: number): string => String(whole).replace(/\B(?=(\d{3})+$)/g, ',')

/** 0.0911 as 9.1 %. */
export const percent = (share: number, digits = 1): string => `${(100 * share).toFixed(digits)} %`

/** 'sign rule, 1 layer': one of a thing, or several. */
export const count = (number: number, thing: string): string =>
  `${grouped(number)} ${thing}${number === 1 ? '' : 's'}`
