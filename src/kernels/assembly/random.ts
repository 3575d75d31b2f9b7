import { exp } from './elementary'
import { log } from './log'
import { keyBytes, seekWords, threefry } from './threefry'

// The ziggurat of ../../ziggurat.ts, row by row: first all draws that one comparison decides, then the others of many rows.

// Its tables, and room for further words: for eight draws, and for one that needs more than two.
let layers: usize = 0
let heights: usize = 0
let spare: usize = 0

const tailStart: f64 = 3.6541528853610088

/**
 * Goes to a stream: its key, 16 bytes, then the step and layer of its counters, and where the tables of the ziggurat lie,
 * with 512 bytes behind them.
 */
export function seek(key: usize, step: i32, layer: i32, tables: usize): void {
  layers = tables
  heights = tables + 4096
  seekWords(key, step, layer, heights + 2064)
  spare = heights + 2064 + keyBytes
}

/**
 * Rows of means[i] + spread · normal as float32, for `count` tokens from `token` on: out [count, width], and up to three
 * floats beyond. `means` is [width] float64, `words` room for 16 · (width + 96) bytes.
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
  const table = layers
  const apart = (<usize>width + 96) << 2
  const rowBytes = (<usize>width) << 2
  // Draws that the first comparison does not decide: their words, places and tokens.
  const open = words + apart
  let n: usize = 0
  const origin = out - <usize>token * rowBytes
  for (const last = token + count; token < last; token++) {
    for (let i = 0; i < width; i += 32) {
      const first = i32x4.add(i32x4.splat(i >> 2), i32x4(0, 1, 2, 3))
      const second = i32x4.add(first, i32x4.splat(4))
      threefry(first, i32x4.splat(token), second, i32x4.splat(token), words + ((<usize>i) << 2))
    }
    let mean = means
    for (let from = 0; from < width; from += 64) {
      let bits: i64 = 0
      let at = words + ((<usize>from) << 2)
      const end = min(width - from, 64)
      for (let i = 0; i < end; i += 4) {
        const layer0 = v128.load(table + ((<usize>load<u8>(at)) << 4))
        const layer1 = v128.load(table + ((<usize>load<u8>(at, 4)) << 4))
        const layer2 = v128.load(table + ((<usize>load<u8>(at, 8)) << 4))
        const layer3 = v128.load(table + ((<usize>load<u8>(at, 12)) << 4))
        const place = i32x4.shr_s(v128.load(at), 8)
        const far = v128.shuffle<i32>(place, place, 2, 3, 2, 3)
        const x0 = f64x2.mul(
          f64x2.add(f64x2.convert_low_i32x4_s(place), f64x2.splat(0.5)),
          v128.shuffle<i64>(layer0, layer1, 0, 2),
        )
        const x1 = f64x2.mul(
          f64x2.add(f64x2.convert_low_i32x4_s(far), f64x2.splat(0.5)),
          v128.shuffle<i64>(layer2, layer3, 0, 2),
        )
        const outside0 = f64x2.ge(f64x2.abs(x0), v128.shuffle<i64>(layer0, layer1, 1, 3))
        const outside1 = f64x2.ge(f64x2.abs(x1), v128.shuffle<i64>(layer2, layer3, 1, 3))
        bits |= (<i64>i32x4.bitmask(v128.shuffle<i32>(outside0, outside1, 0, 2, 4, 6))) << i
        const low = f32x4.demote_f64x2_zero(f64x2.add(v128.load(mean), f64x2.mul(scale, x0)))
        const high = f32x4.demote_f64x2_zero(f64x2.add(v128.load(mean, 16), f64x2.mul(scale, x1)))
        v128.store(out + (at - words), v128.shuffle<i32>(low, high, 0, 1, 4, 5))
        mean += 32
        at += 16
      }
      bits &= <i64>-1 >>> (64 - end) // none beyond the row
      // Two are listed without a look, since few have more: a wrong guess costs as much as twenty draws.
      const to = n + ((<usize>popcnt(bits)) << 2)
      do {
        for (let twice = 0; twice < 2; twice++) {
          const place = from + <i32>ctz(bits)
          const entry = open + n
          store<i32>(entry, load<i32>(words + ((<usize>place) << 2)))
          store<i32>(entry + apart, place)
          store<i32>(entry + apart + apart, token)
          bits &= bits - 1
          n += 4
        }
      } while (n < to)
      n = to
    }
    out += rowBytes
    if (n < 256 && token < last - 1) continue
    for (; n > 0; n -= min(n, 32)) {
      const some = min(n, 32)
      decide(open + n - some, some, apart, means, spread, origin, rowBytes)
    }
  }
}

/**
 * Up to eight draws of a list, `bytes` of words long, that the first comparison does not decide. Nearly all end with the
 * next two words, without a branch that would be guessed wrong half the time.
 */
function decide(
  entry: usize,
  bytes: usize,
  apart: usize,
  means: usize,
  spread: f64,
  origin: usize,
  rowBytes: usize,
): void {
  const places = entry + apart
  const tokens = places + apart
  const first = v128.not(i32x4.shl(v128.load(places), 5))
  const second = v128.not(i32x4.shl(v128.load(places, 16), 5))
  threefry(first, v128.load(tokens), second, v128.load(tokens, 16), spare)
  for (let lane: usize = 0; lane < bytes; lane += 4) {
    const word = load<i32>(entry + lane)
    const layer = word & 255
    const x = across(word)
    const height = between(layer, load<i32>(spare + (lane << 2)))
    const next = load<i32>(spare + (lane << 2), 4)
    const y = across(next)
    const right = f64x2.lt(f64x2.splat(height), exp(f64x2.splat(-0.5 * x * x)))
    let z = f64x2.extract_lane(v128.bitselect(f64x2.splat(x), f64x2.splat(y), right), 0)
    const sure = i32x4.extract_lane(right, 0) | <i32>inside(y, next)
    const place = load<i32>(places + lane)
    const token = load<i32>(tokens + lane)
    if (!layer || !sure) z = outside(word, place, token)
    const mean = load<f64>(means + ((<usize>place) << 3))
    store<f32>(origin + <usize>token * rowBytes + ((<usize>place) << 2), <f32>(mean + spread * z))
  }
}

/** Where a word stands across its layer. */
function across(word: i32): f64 {
  return (<f64>(word >> 8) + 0.5) * load<f64>(layers + ((<usize>(word & 255)) << 4))
}

/** Whether this place is right without a further word. */
function inside(x: f64, word: i32): bool {
  return abs(x) < load<f64>(layers + ((<usize>(word & 255)) << 4), 8)
}

/** A height in a layer. */
function between(layer: i32, word: i32): f64 {
  const at = heights + ((<usize>layer) << 3)
  const below = load<f64>(at)
  return below + fraction(word) * (load<f64>(at, 8) - below)
}

/** The same for the few that need more: `normalOf` of ../../ziggurat.ts. */
function outside(word: i32, i: i32, token: i32): f64 {
  let used = 0
  let x: f64
  let height: f64
  do {
    x = across(word)
    if (inside(x, word)) return x
    if (!(word & 255)) return copysign(tail(i, token, used), x)
    height = between(word & 255, further(i, token, used++))
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
  const place = i32x4.splat(~((i << 5) | (used >> 2)))
  threefry(place, i32x4.splat(token), place, i32x4.splat(token), spare + 128)
  return load<i32>(spare + 128 + ((<usize>(used & 3)) << 2))
}
