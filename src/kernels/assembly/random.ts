import { exp } from './elementary'
import { log } from './log'

// Where the draws are, set by `seek`, and what it has made ready in the memory.
let k1: i32 = 0
let layers: usize = 0
let heights: usize = 0
/** What a block starts from and what is added to it every four rounds, in four lanes each: vectors of 16 bytes. */
let added: usize = 0
let spare: usize = 0

const tailStart: f64 = 3.6541528853610088

/**
 * Goes to a stream: its key, 16 bytes, then the step and layer of its counters, and where the tables of the ziggurat lie,
 * with 320 bytes behind them.
 */
export function seek(key: usize, step: i32, layer: i32, tables: usize): void {
  layers = tables
  heights = tables + 4096
  added = heights + 2064
  spare = added + 256
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
 * Rows of means[i] + spread · normal as float32, for `count` tokens from `token` on: out [count, width], and up to three
 * floats beyond. `means` is [width] float64, `words` room for 4 · (width + 16) bytes.
 */
export function normals(
  token: i32,
  count: i32,
  width: i32,
  means: usize,
  spread: f64,
  words: usize,
  out: usize,
): void {
  const scale = f64x2.splat(spread)
  for (const last = token + count; token < last; token++) {
    for (let i = 0; i < width; i += 16) {
      const first = i32x4.add(i32x4.splat(i >> 2), i32x4(0, 1, 2, 3))
      threefry(first, token, words + ((<usize>i) << 2))
    }
    for (let i = 0; i < width; i += 4) {
      const at = (<usize>i) << 2
      const word = v128.load(words + at)
      const near = pair(v128.shuffle<i32>(word, word, 0, 1, 0, 1), i, token)
      const far = pair(v128.shuffle<i32>(word, word, 2, 3, 2, 3), i + 2, token)
      const mean = means + ((<usize>i) << 3)
      const low = f32x4.demote_f64x2_zero(f64x2.add(v128.load(mean), f64x2.mul(scale, near)))
      const high = f32x4.demote_f64x2_zero(f64x2.add(v128.load(mean, 16), f64x2.mul(scale, far)))
      v128.store(out + at, v128.shuffle<i32>(low, high, 0, 1, 4, 5))
    }
    out += (<usize>width) << 2
  }
}

/** The normals of words i and i + 1 of a token: both lie inside their layers in 39 of 40 cases. */
function pair(words: v128, i: i32, token: i32): v128 {
  const first = v128.load(layers + ((<usize>(i32x4.extract_lane(words, 0) & 255)) << 4))
  const second = v128.load(layers + ((<usize>(i32x4.extract_lane(words, 1) & 255)) << 4))
  const place = f64x2.add(f64x2.convert_low_i32x4_s(i32x4.shr_s(words, 8)), f64x2.splat(0.5))
  const x = f64x2.mul(place, v128.shuffle<i64>(first, second, 0, 2))
  const inside = f64x2.lt(f64x2.abs(x), v128.shuffle<i64>(first, second, 1, 3))
  if (i64x2.all_true(inside)) return x
  const a = i64x2.extract_lane(inside, 0)
    ? f64x2.extract_lane(x, 0)
    : outside(i32x4.extract_lane(words, 0), i, token)
  const b = i64x2.extract_lane(inside, 1)
    ? f64x2.extract_lane(x, 1)
    : outside(i32x4.extract_lane(words, 1), i + 1, token)
  return f64x2.replace_lane(f64x2.splat(a), 1, b)
}

/** A draw that the first comparison does not decide: `normalOf` of ../../ziggurat.ts from there on. */
function outside(word: i32, i: i32, token: i32): f64 {
  let used = 0
  let x: f64
  let height: f64
  do {
    const j = word & 255
    const layer = layers + ((<usize>j) << 4)
    x = (<f64>(word >> 8) + 0.5) * load<f64>(layer)
    if (abs(x) < load<f64>(layer, 8)) return x
    if (j === 0) return copysign(tail(i, token, used), x)
    const below = load<f64>(heights + ((<usize>j) << 3))
    const above = load<f64>(heights + ((<usize>j) << 3), 8)
    height = below + fraction(further(i, token, used++)) * (above - below)
    word = further(i, token, used++)
  } while (height >= f64x2.extract_lane(exp(f64x2.splat(-0.5 * x * x)), 0))
  return x
}

function fraction(word: i32): f64 {
  return (<f64>(<u32>word) + 0.5) / 4294967296
}

function tail(i: i32, token: i32, used: i32): f64 {
  let x: f64
  do {
    x = -log(fraction(further(i, token, used++))) / tailStart
  } while (-2 * log(fraction(further(i, token, used++))) <= x * x)
  return tailStart + x
}

/** Word `used` of those that decide about word i of a token. */
function further(i: i32, token: i32, used: i32): i32 {
  threefry(i32x4.splat(~((i << 5) | (used >> 2))), token, spare)
  return load<i32>(spare + ((<usize>(used & 3)) << 2))
}

/** Four blocks of Threefry4x32-13, ../../threefry.ts, whose first counters are `counter0`, as 16 words one after another. */
function threefry(counter0: v128, token: i32, out: usize): void {
  const keys = added
  let x0 = i32x4.add(counter0, v128.load(keys))
  let x1 = i32x4.splat(token + k1)
  let x2 = v128.load(keys, 32)
  let x3 = v128.load(keys, 48)
  x0 = i32x4.add(x0, x1)
  x1 = v128.xor(rotate(x1, 10), x0)
  x2 = i32x4.add(x2, x3)
  x3 = v128.xor(rotate(x3, 26), x2)
  x0 = i32x4.add(x0, x3)
  x3 = v128.xor(rotate(x3, 11), x0)
  x2 = i32x4.add(x2, x1)
  x1 = v128.xor(rotate(x1, 21), x2)
  x0 = i32x4.add(x0, x1)
  x1 = v128.xor(rotate(x1, 13), x0)
  x2 = i32x4.add(x2, x3)
  x3 = v128.xor(rotate(x3, 27), x2)
  x0 = i32x4.add(x0, x3)
  x3 = v128.xor(rotate(x3, 23), x0)
  x2 = i32x4.add(x2, x1)
  x1 = v128.xor(rotate(x1, 5), x2)
  x0 = i32x4.add(x0, v128.load(keys, 64))
  x1 = i32x4.add(x1, v128.load(keys, 80))
  x2 = i32x4.add(x2, v128.load(keys, 96))
  x3 = i32x4.add(x3, v128.load(keys, 112))
  x0 = i32x4.add(x0, x1)
  x1 = v128.xor(rotate(x1, 6), x0)
  x2 = i32x4.add(x2, x3)
  x3 = v128.xor(rotate(x3, 20), x2)
  x0 = i32x4.add(x0, x3)
  x3 = v128.xor(rotate(x3, 17), x0)
  x2 = i32x4.add(x2, x1)
  x1 = v128.xor(rotate(x1, 11), x2)
  x0 = i32x4.add(x0, x1)
  x1 = v128.xor(rotate(x1, 25), x0)
  x2 = i32x4.add(x2, x3)
  x3 = v128.xor(rotate(x3, 10), x2)
  x0 = i32x4.add(x0, x3)
  x3 = v128.xor(rotate(x3, 18), x0)
  x2 = i32x4.add(x2, x1)
  x1 = v128.xor(rotate(x1, 20), x2)
  x0 = i32x4.add(x0, v128.load(keys, 128))
  x1 = i32x4.add(x1, v128.load(keys, 144))
  x2 = i32x4.add(x2, v128.load(keys, 160))
  x3 = i32x4.add(x3, v128.load(keys, 176))
  x0 = i32x4.add(x0, x1)
  x1 = v128.xor(rotate(x1, 10), x0)
  x2 = i32x4.add(x2, x3)
  x3 = v128.xor(rotate(x3, 26), x2)
  x0 = i32x4.add(x0, x3)
  x3 = v128.xor(rotate(x3, 11), x0)
  x2 = i32x4.add(x2, x1)
  x1 = v128.xor(rotate(x1, 21), x2)
  x0 = i32x4.add(x0, x1)
  x1 = v128.xor(rotate(x1, 13), x0)
  x2 = i32x4.add(x2, x3)
  x3 = v128.xor(rotate(x3, 27), x2)
  x0 = i32x4.add(x0, x3)
  x3 = v128.xor(rotate(x3, 23), x0)
  x2 = i32x4.add(x2, x1)
  x1 = v128.xor(rotate(x1, 5), x2)
  x0 = i32x4.add(x0, v128.load(keys, 192))
  x1 = i32x4.add(x1, v128.load(keys, 208))
  x2 = i32x4.add(x2, v128.load(keys, 224))
  x3 = i32x4.add(x3, v128.load(keys, 240))
  x0 = i32x4.add(x0, x1)
  x1 = v128.xor(rotate(x1, 6), x0)
  x2 = i32x4.add(x2, x3)
  x3 = v128.xor(rotate(x3, 20), x2)
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
