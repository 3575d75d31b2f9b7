/**
 * Brings so many bytes, whole cache lines, into the first-level cache: line after line they come at the pace of the memory,
 * twice as fast as between products.
 */
export function fetch(at: usize, bytes: usize): void {
  for (const end = at + bytes; at < end; at += 64) load<u32>(at)
}
