// Routers with bugs that shipped: each takes the config of a correct router and gets one thing wrong.
import {
  asRouter,
  maskPadding,
  type Router,
  type RouterConfig,
  rounded,
  route,
  routeAt,
  sigmoid,
  topK,
} from 'moesim'

/** Weights from score + bias, as the selection keys are, where they are for the scores alone. */
export const biasInWeights =
  (config: RouterConfig): Router =>
  (batch, bias, context) => {
    const routing = asRouter(config)(batch, bias, context)
    const { experts, topK: K, numExperts: E, scores = new Float32Array() } = routing
    const keys = Float64Array.from(experts, (e, slot) => scores[Math.floor(slot / K) * E + e] + bias[e])
    const sums = Float64Array.from({ length: batch.tokens }, (_, token) =>
      keys.subarray(token * K, (token + 1) * K).reduce((sum, key) => sum + key, 0),
    )
    const weights = Float32Array.from(keys, (key, slot) => (key / sums[Math.floor(slot / K)]) * config.scale)
    return { ...routing, weights }
  }

/** A bias loaded as bf16, whose numbers from 4 to 8 are 1/32 apart. */
export const biasLoadedAsBf16 =
  (config: RouterConfig): Router =>
  ({ logits = new Float32Array() }, bias) =>
    route(logits, config, rounded(bias, 'bf16'))

/** Keys of the groups left out are set to 0, not −∞: they win where the keys of the kept groups are below 0. */
export const maskOfZero =
  (config: RouterConfig): Router =>
  ({ logits = new Float32Array() }, bias) => {
    const { numExperts: E, topK: K, numGroups: G = 1, topGroups = G } = config
    const size = E / G
    const keys = logits.map((logit, i) => Math.fround(sigmoid(logit)) + bias[i % E])
    const groupScores = Float32Array.from({ length: keys.length / size }, (_, group) => {
      const [second, first] = keys
        .slice(group * size, (group + 1) * size)
        .sort()
        .slice(-2)
      return first + second
    })
    const kept = topK(groupScores, G, topGroups)
    const isKept = (token: number, group: number) =>
      kept.subarray(token * topGroups, (token + 1) * topGroups).includes(group)
    const masked = keys.map((key, i) => (isKept(Math.floor(i / E), Math.floor((i % E) / size)) ? key : 0))
    return routeAt(logits, topK(masked, E, K), config)
  }

/** Groups ranked by their ⌊K / topGroups⌋ best, as of a model whose groups were ranked by two in training. */
export const groupsByOtherRank = (config: RouterConfig): RouterConfig => ({
  ...config,
  groupScoreTop: Math.floor(config.topK / (config.topGroups ?? 1)),
})

/** The scale is put on raw weights, and forgotten on normalised ones. */
export const scaleUnlessNormalized = (config: RouterConfig): RouterConfig =>
  config.normalize ? { ...config, scale: 1 } : config

/** The scale is put on the weights, and then on what they have weighed. */
export const scaleTwice = (config: RouterConfig): RouterConfig => ({
  ...config,
  scale: config.scale * config.scale,
})

/** The one weight of a token divided by itself: 1, whatever the router says of it, so that nothing trains the router. */
export const normalizedAtOne = (config: RouterConfig): RouterConfig => ({ ...config, normalize: true })

/** Softmax scores, under a bias that was learnt beside sigmoid scores. */
export const softmaxUnderBias = (config: RouterConfig): RouterConfig => ({
  ...config,
  scoreFunction: 'softmax',
})

/** No bug: the tokens of a batch from `valid` on are padding, and go nowhere. */
export const paddingLeftOut =
  (config: RouterConfig, valid: number): Router =>
  ({ tokens, logits = new Float32Array() }, bias) =>
    route(maskPadding(logits, new Uint8Array(tokens).fill(1, 0, valid)), config, bias)
