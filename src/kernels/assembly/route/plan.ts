// What to do, set by `plan` and `cut`.
export let width: i32 = 0
export let slots: i32 = 0
export let kind: i32 = 0
export let divide: i32 = 0
export let factor: f64 = 1
export let extra: f64 = 0
export let groups: i32 = 1
export let keptGroups: i32 = 1
export let groupTop: i32 = 1
export let biases: usize = 0
let thresholds: usize = 0
export let cutKeys: usize = 0
export let scratch: usize = 0
export let loads: usize = 0
/** How many rows of thresholds there are, from the lowest cut up, and which is tried first. */
export let levels: i32 = 1
export let firstLevel: i32 = 0
/** Candidates a token may have on the fast way, a power of two, and the bits that hold a candidate's place. */
export let places: i32 = 32
export let placeBits: i32 = 5
/** A key's rank is its order as a whole number, less `base`, without its last `drop` bits. */
export let base: i32 = 0
export let drop: i32 = 0

export const block: i32 = 32
/** Places in a list: the candidates of a block, or one whole row. */
const listBytes: usize = 4 * (32 * 64 + 64)
// The scratch area: offsets in bytes.
export const atExperts: usize = 0
export const atLogits: usize = listBytes
export const atBiases: usize = 2 * listBytes
export const atScores: usize = 3 * listBytes
export const atKeys: usize = 4 * listBytes // float32
export const atRanks: usize = 5 * listBytes
export const atMasks: usize = 6 * listBytes // 32 tokens × 16 words
export const atOwn: usize = atMasks + 4096 // of one row
export const atStarts: usize = atOwn + 128
export const atLevels: usize = atStarts + 256
export const atSlow: usize = atLevels + 192
export const atCuts: usize = atSlow + 128 // of 16 levels, the most that ../../cutoffs.ts makes
export const atRows: usize = atCuts + 64 // places × 4 lanes
export const atSorted: usize = atRows + 16 * 72
export const atSelected: usize = atSorted + 16 * 48
export const atLeast: usize = atSelected + 32 * 40 // float32: no key of an expert that is not listed is above it
export const atBest: usize = atLeast + 128 // groups, up to 1024 of them
export const scratchBytes: usize = atBest + 5 * 1024 * 4

export function plan(
  numExperts: i32,
  topK: i32,
  scoreKind: i32,
  normalize: i32,
  scale: f64,
  epsilon: f64,
  numGroups: i32,
  topGroups: i32,
  groupScoreTop: i32,
  biasAt: usize,
  thresholdsAt: usize,
  cutKeysAt: usize,
  scratchAt: usize,
  loadAt: usize,
): void {
  width = numExperts
  slots = topK
  kind = scoreKind
  divide = normalize
  factor = scale
  extra = epsilon
  groups = numGroups
  keptGroups = topGroups
  groupTop = groupScoreTop
  biases = biasAt
  thresholds = thresholdsAt
  cutKeys = cutKeysAt
  scratch = scratchAt
  loads = loadAt
  placeBits = topK > 8 || topGroups < numGroups ? 6 : 5
  places = 1 << placeBits
  memory.fill(scratchAt, 0, scratchBytes)
  levels = 1
  firstLevel = 0
  store<i32>(scratchAt, i32.MAX_VALUE, atCuts) // no token is sure of its best
}

/** Cuts at the so many first of `cutKeys`; keys above `top` are rare. */
export function cut(count: i32, first: i32, top: f32): void {
  levels = count
  firstLevel = first
  base = orderOf(load<i32>(cutKeys)) - 1
  drop = 0
  while (<u32>(orderOf(reinterpret<i32>(top)) - base) >> drop >= <u32>(0x7fffffff >> placeBits)) drop++
  for (let at: usize = 0; at < (<usize>count) << 2; at += 4) {
    store<i32>(scratch + at, rankOf(orderOf(load<i32>(cutKeys + at))), atCuts)
  }
}

/** The least rank that only keys of at least `order` have. */
function rankOf(order: i32): i32 {
  const rank = (<u32>(order - base) + ((<u32>1) << drop) - 1) >> drop
  return (<i32>min(rank, <u32>(0x7fffffff >> placeBits))) << placeBits
}

/** The order of a key's bits among all float32 numbers, as a whole number; its own inverse. */
export function orderOf(bits: i32): i32 {
  return bits ^ ((bits >> 31) & 0x7fffffff)
}

/** The row of thresholds of a level, [E] and up to a multiple of 16. */
export function thresholdsOf(level: i32): usize {
  return thresholds + ((<usize>level * ((<usize>width + 15) & ~15)) << 2)
}
