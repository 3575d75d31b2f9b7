/**
 * Threefry4x32 with 13 rounds: 128 bits of key and 128 bits of counter in, 128 random bits out.
 *
 * Counter-based, so any block can be drawn on its own, by any worker, in any order. It needs only add, rotate and
 * xor on 32-bit integers, which JavaScript and SIMD do alike. Twelve rounds already pass TestU01's BigCrush; thirteen
 * is the fewest for which known answers are published.
 * Source: Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC'11.
 */
export function threefry(
  key: Int32Array,
  c0: number,
  c1: number,
  c2: number,
  c3: number,
  out: Int32Array,
  at: number,
): void {
  let k0 = key[0]
  let k1 = key[1]
  let k2 = key[2]
  let k3 = key[3]
  let k4 = 0x1bd11bda ^ k0 ^ k1 ^ k2 ^ k3 // Skein's parity constant keeps an all-zero key from being weak
  let x0 = (c0 + k0) | 0
  let x1 = (c1 + k1) | 0
  let x2 = (c2 + k2) | 0
  let x3 = (c3 + k3) | 0
  for (let added = 1; ; added += 2) {
    x0 = (x0 + x1) | 0
    x1 = rotate(x1, 10) ^ x0
    x2 = (x2 + x3) | 0
    x3 = rotate(x3, 26) ^ x2
    x0 = (x0 + x3) | 0
    x3 = rotate(x3, 11) ^ x0
    x2 = (x2 + x1) | 0
    x1 = rotate(x1, 21) ^ x2
    x0 = (x0 + x1) | 0
    x1 = rotate(x1, 13) ^ x0
    x2 = (x2 + x3) | 0
    x3 = rotate(x3, 27) ^ x2
    x0 = (x0 + x3) | 0
    x3 = rotate(x3, 23) ^ x0
    x2 = (x2 + x1) | 0
    x1 = rotate(x1, 5) ^ x2
    x0 = (x0 + k1) | 0
    x1 = (x1 + k2) | 0
    x2 = (x2 + k3) | 0
    x3 = (x3 + k4 + added) | 0
    x0 = (x0 + x1) | 0
    x1 = rotate(x1, 6) ^ x0
    x2 = (x2 + x3) | 0
    x3 = rotate(x3, 20) ^ x2
    if (added > 1) break
    x0 = (x0 + x3) | 0
    x3 = rotate(x3, 17) ^ x0
    x2 = (x2 + x1) | 0
    x1 = rotate(x1, 11) ^ x2
    x0 = (x0 + x1) | 0
    x1 = rotate(x1, 25) ^ x0
    x2 = (x2 + x3) | 0
    x3 = rotate(x3, 10) ^ x2
    x0 = (x0 + x3) | 0
    x3 = rotate(x3, 18) ^ x0
    x2 = (x2 + x1) | 0
    x1 = rotate(x1, 20) ^ x2
    x0 = (x0 + k2) | 0
    x1 = (x1 + k3) | 0
    x2 = (x2 + k4) | 0
    x3 = (x3 + k0 + added + 1) | 0
    // Every fourth round adds the next four of the five words of key.
    const first = k0
    const second = k1
    k0 = k2
    k1 = k3
    k2 = k4
    k3 = first
    k4 = second
  }
  out[at] = x0
  out[at + 1] = x1
  out[at + 2] = x2
  out[at + 3] = x3
}

const rotate = (x: number, by: number): number => (x << by) | (x >>> (32 - by))
