import { mean } from './rewards.js'

/** A figure of several runs: the mean, and from the least to the most; `write` rounds them. */
export function spread(values: readonly number[], write: (value: number) => string): string {
  const [middle, least, most] = [mean(values), Math.min(...values), Math.max(...values)].map(write)
  return least === most ? middle : `${middle} (${least}–${most})`
}

export const decimals =
  (digits: number) =>
  (value: number): string =>
    value.toFixed(digits)
/** As many digits as say something, and no exponent. */
export const significant =
  (digits: number) =>
  (value: number): string =>
    String(Number(value.toPrecision(digits)))

/** Prints a row of a table. */
export function row(name: string, columns: readonly string[], width: number): void {
  console.log(name.padEnd(24) + columns.map((text) => text.padStart(width)).join(''))
}
