// Threefry4x32-13, ../../threefry.ts, eight blocks at a time.

let k1: i32 = 0
/** What a block starts from and what is added to it every four rounds, in four lanes each: vectors of 16 bytes. */
let added: usize = 0

/** The bytes that `seek` fills. */
export const keyBytes: usize = 256

/** Goes to the stream of a key, 16 bytes, at a step and a layer; `at` has room for what is made of it. */
export function seekWords(key: usize, step: i32, layer: i32, at: usize): void {
  added = at
  const k0 = load<i32>(key)
  k1 = load<i32>(key, 4)
  const k2 = load<i32>(key, 8)
  const k3 = load<i32>(key, 12)
  const k4 = 0x1bd11bda ^ k0 ^ k1 ^ k2 ^ k3
  add(0, k0, 0, step + k2, layer + k3)
  add(64, k1, k2, k3, k4 + 1)
  add(128, k2, k3, k4, k0 + 2)
  add(192, k3, k4, k0, k1 + 3)
}

function add(at: usize, a: i32, b: i32, c: i32, d: i32): void {
  const to = added + at
  v128.store(to, i32x4.splat(a))
  v128.store(to, i32x4.splat(b), 16)
  v128.store(to, i32x4.splat(c), 32)
  v128.store(to, i32x4.splat(d), 48)
}

/**
 * Eight blocks with these first two counters, as words one after another: two sets of
 * lanes at once, since every operation of one waits for the one before.
 */
export function threefry(places0: v128, tokens0: v128, places1: v128, tokens1: v128, out: usize): void {
  let keys = added
  let x0 = i32x4.add(places0, v128.load(keys))
  let y0 = i32x4.add(places1, v128.load(keys))
  let x1 = i32x4.add(tokens0, i32x4.splat(k1))
  let y1 = i32x4.add(tokens1, i32x4.splat(k1))
  let x2 = v128.load(keys, 32)
  let y2 = x2
  let x3 = v128.load(keys, 48)
  let y3 = x3
  for (;;) {
    keys += 64
    x0 = i32x4.add(x0, x1)
    x1 = v128.xor(rotate(x1, 10), x0)
    x2 = i32x4.add(x2, x3)
    x3 = v128.xor(rotate(x3, 26), x2)
    y0 = i32x4.add(y0, y1)
    y1 = v128.xor(rotate(y1, 10), y0)
    y2 = i32x4.add(y2, y3)
    y3 = v128.xor(rotate(y3, 26), y2)
    x0 = i32x4.add(x0, x3)
    x3 = v128.xor(rotate(x3, 11), x0)
    x2 = i32x4.add(x2, x1)
    x1 = v128.xor(rotate(x1, 21), x2)
    y0 = i32x4.add(y0, y3)
    y3 = v128.xor(rotate(y3, 11), y0)
    y2 = i32x4.add(y2, y1)
    y1 = v128.xor(rotate(y1, 21), y2)
    x0 = i32x4.add(x0, x1)
    x1 = v128.xor(rotate(x1, 13), x0)
    x2 = i32x4.add(x2, x3)
    x3 = v128.xor(rotate(x3, 27), x2)
    y0 = i32x4.add(y0, y1)
    y1 = v128.xor(rotate(y1, 13), y0)
    y2 = i32x4.add(y2, y3)
    y3 = v128.xor(rotate(y3, 27), y2)
    x0 = i32x4.add(x0, x3)
    x3 = v128.xor(rotate(x3, 23), x0)
    x2 = i32x4.add(x2, x1)
    x1 = v128.xor(rotate(x1, 5), x2)
    y0 = i32x4.add(y0, y3)
    y3 = v128.xor(rotate(y3, 23), y0)
    y2 = i32x4.add(y2, y1)
    y1 = v128.xor(rotate(y1, 5), y2)
    x0 = i32x4.add(x0, v128.load(keys))
    y0 = i32x4.add(y0, v128.load(keys))
    x1 = i32x4.add(x1, v128.load(keys, 16))
    y1 = i32x4.add(y1, v128.load(keys, 16))
    x2 = i32x4.add(x2, v128.load(keys, 32))
    y2 = i32x4.add(y2, v128.load(keys, 32))
    x3 = i32x4.add(x3, v128.load(keys, 48))
    y3 = i32x4.add(y3, v128.load(keys, 48))
    x0 = i32x4.add(x0, x1)
    x1 = v128.xor(rotate(x1, 6), x0)
    x2 = i32x4.add(x2, x3)
    x3 = v128.xor(rotate(x3, 20), x2)
    y0 = i32x4.add(y0, y1)
    y1 = v128.xor(rotate(y1, 6), y0)
    y2 = i32x4.add(y2, y3)
    y3 = v128.xor(rotate(y3, 20), y2)
    if (keys === added + 192) break
    x0 = i32x4.add(x0, x3)
    x3 = v128.xor(rotate(x3, 17), x0)
    x2 = i32x4.add(x2, x1)
    x1 = v128.xor(rotate(x1, 11), x2)
    y0 = i32x4.add(y0, y3)
    y3 = v128.xor(rotate(y3, 17), y0)
    y2 = i32x4.add(y2, y1)
    y1 = v128.xor(rotate(y1, 11), y2)
    x0 = i32x4.add(x0, x1)
    x1 = v128.xor(rotate(x1, 25), x0)
    x2 = i32x4.add(x2, x3)
    x3 = v128.xor(rotate(x3, 10), x2)
    y0 = i32x4.add(y0, y1)
    y1 = v128.xor(rotate(y1, 25), y0)
    y2 = i32x4.add(y2, y3)
    y3 = v128.xor(rotate(y3, 10), y2)
    x0 = i32x4.add(x0, x3)
    x3 = v128.xor(rotate(x3, 18), x0)
    x2 = i32x4.add(x2, x1)
    x1 = v128.xor(rotate(x1, 20), x2)
    y0 = i32x4.add(y0, y3)
    y3 = v128.xor(rotate(y3, 18), y0)
    y2 = i32x4.add(y2, y1)
    y1 = v128.xor(rotate(y1, 20), y2)
    keys += 64
    x0 = i32x4.add(x0, v128.load(keys))
    y0 = i32x4.add(y0, v128.load(keys))
    x1 = i32x4.add(x1, v128.load(keys, 16))
    y1 = i32x4.add(y1, v128.load(keys, 16))
    x2 = i32x4.add(x2, v128.load(keys, 32))
    y2 = i32x4.add(y2, v128.load(keys, 32))
    x3 = i32x4.add(x3, v128.load(keys, 48))
    y3 = i32x4.add(y3, v128.load(keys, 48))
  }
  transpose(x0, x1, x2, x3, out)
  transpose(y0, y1, y2, y3, out + 64)
}

function transpose(x0: v128, x1: v128, x2: v128, x3: v128, out: usize): void {
  const low01 = v128.shuffle<i32>(x0, x1, 0, 4, 1, 5)
  const low23 = v128.shuffle<i32>(x2, x3, 0, 4, 1, 5)
  const high01 = v128.shuffle<i32>(x0, x1, 2, 6, 3, 7)
  const high23 = v128.shuffle<i32>(x2, x3, 2, 6, 3, 7)
  v128.store(out, v128.shuffle<i64>(low01, low23, 0, 2))
  v128.store(out, v128.shuffle<i64>(low01, low23, 1, 3), 16)
  v128.store(out, v128.shuffle<i64>(high01, high23, 0, 2), 32)
  v128.store(out, v128.shuffle<i64>(high01, high23, 1, 3), 48)
}

function rotate(x: v128, by: i32): v128 {
  return v128.or(i32x4.shl(x, by), i32x4.shr_u(x, 32 - by))
}
