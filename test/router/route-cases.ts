import type { RouterConfig } from 'moesim'

/** A router, a batch and a bias, mixed at random from what is common and what is hard. */
export interface RouteCase {
  readonly name: string
  readonly router: RouterConfig
  readonly logits: Float32Array
  readonly bias: Float32Array | undefined
}

/** Uniform numbers in [0, 1) from a seed (mulberry32). */
export function uniform(seed: number): () => number {
  let state = seed | 0
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296
  }
}

type Draw = () => number

const normal = (draw: Draw): number => {
  let sum = -6
  for (let i = 0; i < 12; i++) sum += draw()
  return sum
}

const largest = 3.4028234663852886e38

const denormal = 1.401298464324817e-45

/** How the logits of a batch are drawn: each gives a row's own way to draw a logit. */
const batches: Readonly<Record<string, (draw: Draw) => () => number>> = {
  gaussian: (draw) => () => normal(draw),
  'of rows of different size': (draw) => {
    const size = 8 * draw() * draw()
    const shift = 4 * draw() - 2
    return () => shift + size * normal(draw)
  },
  saturated: (draw) => () => 14 + 8 * draw(),
  'far below 0': (draw) => () => -36.75 + 60 * (draw() - 0.9),
  huge: (draw) => () => 1e30 * normal(draw),
  'all equal': (draw) => {
    const value = Math.round(3 * normal(draw))
    return () => value
  },
  'in few values': (draw) => () => Math.round(2 * normal(draw)) / 2,
  denormal: (draw) => () => Math.round(20 * normal(draw)) * denormal,
  'signed zeros': (draw) => () => (draw() < 0.5 ? -0 : draw() < 0.5 ? 0 : 1e-8 * normal(draw)),
  masked: (draw) => {
    const share = draw() ** 3
    return () => (draw() < share ? normal(draw) : -Infinity)
  },
  'nearly all masked': (draw) => () => (draw() < 0.08 ? normal(draw) : -Infinity),
  'at the end of float32': (draw) => {
    const share = draw()
    return () => (draw() < share ? -largest * draw() ** 0.1 : draw() < 0.1 ? -largest : -Infinity)
  },
  'here and there masked': (draw) => () => (draw() < 0.9 ? normal(draw) : -Infinity),
}

const biases: Readonly<Record<string, (draw: Draw) => number>> = {
  small: (draw) => 0.1 * normal(draw),
  negative: (draw) => -3 + 0.1 * normal(draw),
  huge: (draw) => 1e9 * normal(draw),
  'of one expert': (draw) => (draw() < 0.02 ? 50 : 0),
  wide: (draw) => normal(draw),
  'minus zero': () => -0,
}

/** A case of about `values` logits, the same for the same seed. */
export function routeCase(seed: number, values: number): RouteCase {
  const draw = uniform(seed)
  const upTo = (most: number): number => 1 + Math.floor(most * draw())
  const pick = <T>(from: readonly T[]): T => from[upTo(from.length) - 1]
  const grouped = draw() < 0.3
  const numGroups = grouped ? upTo(8) : 1
  const topGroups = upTo(numGroups)
  const size = grouped
    ? upTo(40)
    : pick([1, 7, 8, 16, 31, 60, 64, 65, 100, 128, 128, 256, 384, 512, upTo(1100)])
  const numExperts = numGroups * size
  const most = topGroups * size
  const topK = Math.min(most, draw() < 0.05 ? Math.min(most, 40) : draw() < 0.6 ? upTo(8) : upTo(32))
  const score = pick(['sigmoid', 'sigmoid', 'sqrtsoftplus', 'beforeTopK', 'afterTopK'] as const)
  const softmax = score === 'beforeTopK' || score === 'afterTopK'
  const router: RouterConfig = {
    numExperts,
    topK,
    ...(softmax ? { scoreFunction: 'softmax', softmaxOrder: score } : { scoreFunction: score }),
    normalize: draw() < 0.7,
    scale: pick([1, 2.5, -1.5]),
    ...(draw() < 0.3 && { epsilon: pick([0, 1e-6, 1]) }),
    ...(grouped && { numGroups, topGroups, groupScoreTop: upTo(size) }),
  }
  const kind = draw() < 0.4 ? 'gaussian' : pick(Object.keys(batches))
  const biasKind = pick([...Object.keys(biases), 'none'])
  const tokens = draw() < 0.05 ? upTo(2) - 1 : Math.ceil((2 * draw() * values) / numExperts)
  const logits = new Float32Array(tokens * numExperts)
  for (let row = 0; row < logits.length; row += numExperts) {
    const next = batches[kind](draw)
    for (let e = 0; e < numExperts; e++) logits[row + e] = next()
  }
  const bias =
    score === 'afterTopK' || biasKind === 'none'
      ? undefined
      : Float32Array.from({ length: numExperts }, () => biases[biasKind](draw))
  return {
    name: `seed ${seed}: ${kind} logits, bias ${biasKind}, ${JSON.stringify(router)}`,
    router,
    logits,
    bias,
  }
}
