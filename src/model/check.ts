import { demand, demandNothingElse, demandWhole } from '../errors.js'
import type { ModelConfig } from './config.js'
import {
  deepest,
  demandList,
  demandObject,
  demandOneOf,
  demandTruth,
  mostMtpBlocks,
  mostSublayers,
  widest,
} from './demands.js'
import { frozen } from './frozen.js'
import { kindOf, kinds, type Sublayer } from './kinds/kinds.js'

const largestVocabulary = 1 << 24
const mostLetters = 64
const mostStreams = 64

/** Throws an InputError on a model that contradicts itself, with both values; at once, whatever it is given. */
export function checkModel(model: ModelConfig): void {
  demandObject('model: the config', model, 'Start from a preset, such as nemotron3Nano.')
  const { name, hiddenSize, vocabSize, tiedEmbeddings, pattern, layers, mtp = [], ...options } = model
  const { normBiases, postNorms, headBias, attentionResiduals, hyperConnections = 1, ...rest } = options
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
  for (const [field, value] of Object.entries({ normBiases, postNorms, headBias, attentionResiduals })) {
    demandOneOf(`model: ${field}`, value, [undefined, true])
  }
  demandWhole('model: hyperConnections', hyperConnections, 1, mostStreams, 'It is the number of streams.')
  demandObject('model: layers', layers, "Define every letter, such as M: [{ kind: 'mamba2', … }].")
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
  return frozen(model)
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
  demandList(at, sublayers, 1, mostSublayers, 'A layer has two: attention, then mlp or moe.')
  for (const [i, sublayer] of sublayers.entries()) checkSublayer(`${at}[${i}]`, sublayer as Sublayer)
}

function checkSublayer(at: string, sublayer: Sublayer): void {
  demandObject(at, sublayer, "Give its kind and sizes: { kind: 'mlp', width: 4096, … }.")
  const { kind, ...fields } = sublayer
  demandOneOf(`${at}.kind`, kind, Object.keys(kinds))
  kindOf(sublayer).check(at, fields)
}
