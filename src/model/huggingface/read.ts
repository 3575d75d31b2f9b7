import { demand, demandNothingElse, demandWhole, InputError } from '../../errors.js'
import { didYouMean } from '../../suggest.js'
import { defineModel } from '../check.js'
import type { ModelConfig } from '../config.js'
import { deepest, demandList, demandOneOf, isObject, mostMtpBlocks, mostSublayers } from '../demands.js'
import type { Sublayer } from '../kinds/kinds.js'
import { flagIf, given, head, lengthIf, listsOf, locate, type Source, size, sizeIf } from './fields.js'
import { type Layers, layersByLetter, letterOf } from './letters.js'
import { readers } from './readers.js'
import { rules } from './rules.js'
import { type Choice, type ModelType, modelTypes, type Part } from './types.js'
import { unplaced } from './unplaced.js'

export interface HuggingFaceOptions {
  /** What reports call the model; its `model_type` unless given. */
  readonly name?: string
  /** Reads the config as if its `model_type` were this one, such as 'llama-moe', or one that you describe yourself. */
  readonly assume?: string | ModelType
}

/**
 * The model that a `config.json` of Hugging Face describes. A config of text and images is read for its text.
 *
 * Only what the architecture needs is read; everything else may stand in the config. What the config leaves out is what
 * the class of its `model_type` has by default, where that is known.
 *
 * Throws an InputError on a `model_type` that is not known, with the nearest known one and the fields that have no place
 * in any (see `assume`), and on a config that lacks a size, misstates one, or contradicts itself.
 */
export function fromHuggingFaceConfig(json: unknown, options: HuggingFaceOptions = {}): ModelConfig {
  demand(
    isObject(json) && !Array.isArray(json),
    `${head}the config must be an object`,
    json,
    'Parse the text of config.json first.',
  )
  const config = textOf(json as Json)
  const { assume, name, ...rest } = options
  demandNothingElse(`${head}the options`, rest)
  const modelType = own(config, 'model_type')
  const type = isObject(assume) ? assume : typeNamed(assume ?? modelType, config)
  demandList(`${head}assume.layer`, type.layer, 1, mostSublayers, 'List the sublayers of a layer.')
  const constants = type.constants ?? {}
  const whole: Source = { config: locate(config), layer: 0, depth: 1, blocks: 0, constants, renamed: {} }
  const source = { ...whole, depth: depthOf(whole), blocks: size(whole, 'mtpBlocks', 0, 0) }
  demandWhole(
    `${head}the number of blocks for multi-token prediction`,
    source.blocks,
    0,
    mostMtpBlocks,
    'Published models store one to three.',
  )
  const layers: Layers = new Map()
  const pattern = stack(type.layer, source, source.depth, layers)
  const mtp = mtpBlocks(type, source, layers)
  return defineModel({
    name: name ?? (typeof modelType === 'string' ? modelType : 'unnamed'),
    hiddenSize: size(source, 'hiddenSize'),
    vocabSize: size(source, 'vocabSize'),
    tiedEmbeddings: flagIf(source, 'tied') ?? false,
    pattern,
    layers: layersByLetter(layers),
    ...given({
      mtp: mtp.length > 0 ? mtp : undefined,
      normBiases: flagIf(source, 'normBiases'),
      postNorms: flagIf(source, 'postNorms'),
      headBias: flagIf(source, 'headBias'),
      hyperConnections: sizeIf(source, 'hyperConnections'),
      attentionResiduals: sizeIf(source, 'residualBlock') === undefined ? undefined : (true as const),
    }),
  })
}

type Json = Record<string, unknown>

const own = (json: Json, key: string): unknown => (Object.hasOwn(json, key) ? json[key] : undefined)

/** Models of several modalities keep their text model in a config of its own; what that leaves out holds from outside. */
function textOf(json: Json): Json {
  const inner = textKey(json)
  if (inner === undefined) return json
  const outer = { model_type: own(json, 'model_type'), tie_word_embeddings: own(json, 'tie_word_embeddings') }
  return { ...given(outer), ...(json[inner] as Json) }
}

/** Where a config of several modalities keeps that of its text model; undefined where it is of text alone. */
export const textKey = (json: object): string | undefined =>
  ['text_config', 'language_config', 'llm_config'].find((key) => isObject(own(json as Json, key)))

const isKnown = (name: unknown): name is string => typeof name === 'string' && Object.hasOwn(modelTypes, name)

/**
 * Of a config.json whose model_type is not known, a sentence on the fields that no model type reads and that may hold
 * parameters, as the refusal ends with; empty if there are none.
 */
export function unplacedFields(json: object): string {
  const config = textOf(json as Json)
  return isKnown(own(config, 'model_type')) ? '' : unplaced(config)
}

function typeNamed(name: unknown, config: Json): ModelType {
  const known = Object.keys(modelTypes)
  if (isKnown(name)) return modelTypes[name]
  const suggestion = typeof name === 'string' ? didYouMean(name.slice(0, 64), known) : ''
  const remedy = `${suggestion}Known: ${known.join(', ')}. To read it as one of these, such as 'llama-moe', use the option assume.`
  throw new InputError(
    `${head}model_type must be a known one`,
    name,
    `${remedy} ${unplaced(config)}`.trimEnd(),
  )
}

/** The layers of encoder and decoder, or the letters of a pattern where their number is not stated. */
function depthOf(source: Source): number {
  const depth = size(source, 'layers', lengthIf(source, 'pattern')) + size(source, 'decoderLayers', 0, 0)
  demandWhole(`${head}the number of layers`, depth, 1, deepest, 'The deepest published has about a hundred.')
  return depth
}

type Slots = ModelType['layer']

/** The pattern of a stack; layers that it has and `layers` has not are added there, each under a letter of its own. */
function stack(slots: Slots, source: Source, depth: number, layers: Layers): string {
  const labels = slots.map((slot) => ('by' in slot ? labelsBy(slot, source) : []))
  const lists = listsOf(source)
  const known = new Map<string, string>()
  return Array.from({ length: depth }, (_, i) => {
    const at = { ...source, layer: source.layer + i }
    // Layers of the same labels and the same values in every list are the same, and read once.
    const values = lists.map((list) => (isObject(list[i]) ? `layer ${i}` : list[i]))
    const own = labels.map((label) => label[i])
    const key = [...own, ...values].join()
    const letter = known.get(key) ?? letterOf(readLayer(slots, own, at), layers)
    known.set(key, letter)
    return letter
  }).join('')
}

const readLayer = (slots: Slots, labels: readonly string[], at: Source): Sublayer[] =>
  slots
    .flatMap((slot, j) => ('by' in slot ? partsOf(slot, labels[j], at) : slot))
    .map((part) => read(part, at))

function labelsBy({ by }: Choice, source: Source): string[] {
  demandOneOf(`${head}the rule of a choice`, by, Object.keys(rules))
  return rules[by](source)
}

function partsOf({ by, of }: Choice, label: string, { layer }: Source): readonly Part[] {
  const rule = `${head}layer ${layer}, counted from 0, must be one of ${Object.keys(of).join(', ')} by its ${by}`
  demand(Object.hasOwn(of, label), rule, label, 'This type of model has no other layers.')
  return of[label]
}

function read(part: Part, source: Source): Sublayer {
  const { kind, renamed = {}, ...constants } = part
  demandOneOf(`${head}the kind of a part`, kind, Object.keys(readers))
  return readers[kind]({ ...source, renamed, constants: { ...source.constants, ...constants } })
}

/** One pattern for each stored block of multi-token prediction, whose layers come after the last of the stack. */
function mtpBlocks({ mtp }: ModelType, source: Source, layers: Layers): string[] {
  if (mtp === undefined || source.blocks === 0) return []
  const letters = lengthIf(source, 'mtpPattern')
  const block =
    letters === undefined
      ? stack(mtp, { ...source, layer: source.depth }, 1, layers)
      : stack(mtp, { ...source, depth: letters, renamed: { pattern: 'mtpPattern' } }, letters, layers)
  return new Array(source.blocks).fill(block)
}
