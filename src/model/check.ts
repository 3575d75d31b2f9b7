import { demand, demandWhole } from '../errors.js'
import type { FeedForward, ModelConfig, Sublayer } from './config.js'
import {
  demandList,
  demandMultiple,
  demandNothingElse,
  demandObject,
  demandOneOf,
  demandSizes,
  demandTruth,
  isObject,
  widest,
} from './demands.js'
import { checkRouter } from './router-config.js'

const largestVocabulary = 1 << 24
const deepest = 4096 // layers; the deepest published stack has about a hundred
const mostLetters = 64
const mostSublayers = 16
const mostMtpBlocks = 16

/** Throws an InputError on a model that contradicts itself, with both values; at once, whatever it is given. */
export function checkModel(model: ModelConfig): void {
  demandObject('model: the config', model, 'Start from a preset, such as nemotron3Nano.')
  const { name, hiddenSize, vocabSize, tiedEmbeddings, pattern, layers, mtp = [], ...rest } = model
  demandNothingElse('model: the config', rest)
  demand(typeof name === 'string', 'model: name must be a string', name, 'Reports show it.')
  demandWhole('model: hiddenSize', hiddenSize, 1, widest, 'It is D, the width of the residual stream.')
  demandWhole(
    'model: vocabSize',
    vocabSize,
    1,
    largestVocabulary,
    'It is the number of rows of the embedding.',
  )
  demandTruth('model: tiedEmbeddings', tiedEmbeddings, 'True where the head reuses the embedding table.')
  demandObject('model: layers', layers, "Define every letter: { M: [{ kind: 'mamba2', … }] }.")
  const defined = Object.entries(layers)
  demandWhole(
    'model: the number of letters in layers',
    defined.length,
    1,
    mostLetters,
    'Equal layers share a letter.',
  )
  for (const [letter, sublayers] of defined) checkLayer(letter, sublayers)
  checkPattern('model: pattern', pattern, layers)
  demandList('model: mtp', mtp, 0, mostMtpBlocks, 'List one pattern a stored block, or leave it out.')
  for (const [i, block] of mtp.entries()) checkPattern(`model: mtp[${i}]`, block, layers)
}

/** Checks a model and freezes it, all the way down. */
export function defineModel(model: ModelConfig): ModelConfig {
  checkModel(model)
  return freeze(model)
}

function freeze<T extends object>(value: T): T {
  for (const part of Object.values(value)) if (isObject(part)) freeze(part)
  return Object.freeze(value)
}

function checkPattern(at: string, pattern: unknown, layers: ModelConfig['layers']): void {
  demand(typeof pattern === 'string', `${at} must be a string`, pattern, 'Write one letter a layer.')
  demandWhole(`${at}.length`, pattern.length, 1, deepest, 'Write one letter a layer.')
  for (const [i, letter] of [...pattern].entries()) {
    const rule = `${at}: letter ${i + 1} must be one that layers defines, of '${Object.keys(layers).join('')}'`
    demand(Object.hasOwn(layers, letter), rule, letter, 'Define it, or correct the pattern.')
  }
}

function checkLayer(letter: string, sublayers: unknown): void {
  demand(
    letter.length === 1,
    'model: the keys of layers must be single letters',
    letter,
    'The pattern names them.',
  )
  const at = `model: layers.${letter}`
  demandList(
    at,
    sublayers,
    1,
    mostSublayers,
    'A transformer layer has two sublayers: attention, then mlp or moe.',
  )
  for (const [i, sublayer] of sublayers.entries()) checkSublayer(`${at}[${i}]`, sublayer as Sublayer)
}

function checkSublayer(at: string, sublayer: Sublayer): void {
  demandObject(at, sublayer, "Give its kind and sizes: { kind: 'mlp', width: 4096, … }.")
  const { kind, ...fields } = sublayer
  demandOneOf(`${at}.kind`, kind, Object.keys(checks))
  const check = checks[kind] as (at: string, fields: object) => void
  check(at, fields)
}

type Fields<K> = Omit<Extract<Sublayer, { kind: K }>, 'kind'>

const checks: { [K in Sublayer['kind']]: (at: string, fields: Fields<K>) => void } = {
  mamba2(at, { numHeads, headDim, stateSize, numGroups, convKernel, ...rest }) {
    demandNothingElse(at, rest)
    demandSizes(at, { numHeads, headDim, stateSize, numGroups, convKernel })
    demandMultiple(
      `${at}.numHeads`,
      numHeads,
      'numGroups',
      numGroups,
      'Each group serves equally many heads.',
    )
  },
  attention(at, { numHeads, numKeyValueHeads, headDim, ...rest }) {
    demandNothingElse(at, rest)
    demandSizes(at, { numHeads, numKeyValueHeads, headDim })
    const remedy = 'Each key and value head serves equally many query heads.'
    demandMultiple(`${at}.numHeads`, numHeads, 'numKeyValueHeads', numKeyValueHeads, remedy)
  },
  mlp(at, { width, ...rest }) {
    demandSizes(at, { width })
    checkFeedForward(at, rest)
  },
  moe(
    at,
    { router, correctionBias, expertWidth, sharedExperts, sharedExpertWidth, latentWidth = 1, ...rest },
  ) {
    checkRouter(`${at}.router`, `${at}.router.`, router)
    demandTruth(`${at}.correctionBias`, correctionBias, 'True where the router stores a bias for selection.')
    demandSizes(at, { expertWidth, latentWidth })
    demandSizes(at, { sharedExperts, sharedExpertWidth }, 0)
    demand(
      (sharedExperts === 0) === (sharedExpertWidth === 0),
      `${at}.sharedExpertWidth must be 0 with no shared experts and only then; sharedExperts = ${sharedExperts}`,
      sharedExpertWidth,
      'It is the width of one shared expert.',
    )
    checkFeedForward(at, rest)
  },
}

function checkFeedForward(at: string, { activation, gated, ...rest }: FeedForward): void {
  demandNothingElse(at, rest)
  demandOneOf(`${at}.activation`, activation, ['relu2', 'silu', 'gelu'])
  demandTruth(`${at}.gated`, gated, 'Gated has three matrices, ungated two.')
}
