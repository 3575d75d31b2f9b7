import { demand } from '../../errors.js'
import { demandOneOf } from '../demands.js'
import { aliases, type Field } from './aliases.js'
import { flag, head, layerSet, raw, type Source, size, sizeIf, stated, word } from './fields.js'

export type Rule = 'attention' | 'experts' | 'pattern' | 'keyValues' | 'choice' | 'stack'

/** Which layer is what: a label for each layer of a stack, from whichever of its fields a config states. */
export const rules: Readonly<Record<Rule, (source: Source) => string[]>> = {
  attention,
  experts,
  pattern,
  keyValues,
  choice,
  stack,
}

const labels = (source: Source, label: (at: Source) => string): string[] =>
  Array.from({ length: source.depth }, (_, layer) => label({ ...source, layer }))

/** 'full' for full attention, 'other' for the other mixer of a hybrid. All fields that tell must tell the same. */
function attention(source: Source): string[] {
  const [full, linear] = [layerSet(source, 'fullLayers', 1), layerSet(source, 'linearLayers', 1)]
  return labels(source, (at) => {
    const said = { ...at, constants: {} }
    const votes: [Field, boolean | undefined][] = [
      ['attentionTypes', typeOf(said)],
      ['windowTypes', isZero(said, 'windowTypes')],
      ['ropeLayers', isZero(said, 'ropeLayers')],
      ['fullInterval', every(said, 'fullInterval')],
      ['attentionPeriod', periodic(said, 'attentionPeriod', 'attentionOffset')],
      ['fullLayers', full?.has(at.layer)],
      ['linearLayers', linear && !linear.has(at.layer)],
      ['attentionCount', spread(said, sizeIf(said, 'attentionCount'))],
    ]
    const [first, ...others] = votes.filter(([, vote]) => vote !== undefined)
    if (first === undefined) return every(at, 'fullInterval') === false ? 'other' : 'full'
    for (const [field, vote] of others) {
      const rule = `${head}${aliases[field][0]} and ${aliases[first[0]][0]} must agree on which layers have full attention`
      demand(vote === first[1], rule, `layer ${at.layer}, counted from 0`, 'Correct one of them.')
    }
    return first[1] ? 'full' : 'other'
  })
}

const isZero = (at: Source, field: Field): boolean | undefined =>
  stated(at, field) && size(at, field, 0, 0) === 0

function typeOf(at: Source): boolean | undefined {
  const found = stated(at, 'attentionTypes')
  if (found === undefined) return undefined
  demandOneOf(`${head}${found.name}: layer ${at.layer}, counted from 0,`, found.value, [
    ...fullWords,
    ...otherWords,
  ])
  return fullWords.includes(found.value)
}

/** What configs call the layers of a hybrid; a word that is none of these may be a kind of layer that is not known. */
const fullWords: readonly unknown[] = ['full_attention', 'attention', 1]
const otherWords = ['sliding_attention', 'chunked_attention', 'linear_attention', 'mamba', 0]

/** Whether this layer is the last of every so many. */
function every(at: Source, field: Field): boolean | undefined {
  const interval = sizeIf(at, field)
  return interval === undefined ? undefined : (at.layer + 1) % interval === 0
}

/** Whether this layer is the one of its period that stands at the offset. */
function periodic(at: Source, field: Field, offsetField: Field): boolean | undefined {
  const period = sizeIf(at, field)
  if (period === undefined) return undefined
  const offset = size(at, offsetField, 0, 0)
  const rule = `${head}${aliases[offsetField][0]} must be less than ${aliases[field][0]} = ${period}`
  demand(offset < period, rule, offset, 'It counts from 0 within the period.')
  return at.layer % period === offset
}

/** Whether this layer is one of `count` that stand evenly in the stack. */
function spread({ layer, depth }: Source, count: number | undefined): boolean | undefined {
  if (count === undefined) return undefined
  const nth = Math.floor((layer * count) / depth)
  return Math.floor(((nth + 0.5) * depth) / count) === layer
}

/** 'moe' unless a field of the config makes this layer 'dense'. */
function experts(source: Source): string[] {
  const [only, never] = [layerSet(source, 'moeLayers', 0), layerSet(source, 'moeExceptions', 0)]
  // Counted from 0; -1 is the last of the stack, as it is where the config says nothing.
  const endless = (stated(source, 'lastMoeLayer')?.value ?? -1) === -1
  const last = endless ? source.depth : size(source, 'lastMoeLayer', 0, 0)
  return labels(source, (at) => {
    const frequency = size(at, 'moeFrequency', 1, 0) // in a list, 0 for dense and 1 for a mixture of experts
    const sparse =
      at.layer >= size(at, 'denseLayers', 0, 0) &&
      at.layer <= last &&
      frequency > 0 &&
      at.layer % frequency === 0 &&
      every(at, 'moeInterval') !== false &&
      periodic(at, 'moePeriod', 'moeOffset') !== false &&
      only?.has(at.layer) !== false &&
      !never?.has(at.layer)
    return sparse ? 'moe' : 'dense'
  })
}

/** The words of older configs and of transformers 5. */
const letters: Record<string, string> = {
  mamba: 'M',
  linear_attention: 'M',
  attention: '*',
  full_attention: '*',
  moe: 'E',
  mlp: '-',
}

/** A string of one letter a layer, such as 'MEM*E', or a list of one word a layer. */
function pattern(source: Source): string[] {
  if (Array.isArray(raw(source, 'pattern'))) {
    return labels(source, (at) => {
      const name = word(at, 'pattern')
      return Object.hasOwn(letters, name) ? letters[name] : name
    })
  }
  const text = word(source, 'pattern')
  const rule = `${head}the pattern must have a letter for each of the ${source.depth} layers`
  demand(text.length === source.depth, rule, text.length, 'Correct the pattern or the number of layers.')
  return [...text]
}

/** 'own', or 'shared' with the layer before where layers share keys and values in groups. */
function keyValues(source: Source): string[] {
  const group = flag(source, 'crossLayer') ? size(source, 'shareFactor') : 1
  return labels(source, ({ layer }) => (layer % group === 0 ? 'own' : 'shared'))
}

/** How a token's experts are chosen: 'hashed' by its id in the first layers, 'scored' elsewhere. */
function choice(source: Source): string[] {
  const hashed = size(source, 'hashLayers', 0, 0)
  return labels(source, ({ layer }) => (layer < hashed ? 'hashed' : 'scored'))
}

/** 'encoder' or 'decoder'. */
function stack(source: Source): string[] {
  return labels(source, (at) => (at.layer < size(at, 'layers') ? 'encoder' : 'decoder'))
}
