import { demand } from '../../errors.js'
import type { ModelConfig } from '../config.js'
import type { Sublayer } from '../kinds/kinds.js'
import { head } from './fields.js'

/** The different layers that a config has so far, each under its letter; the key is the layer as JSON. */
export type Layers = Map<string, { readonly letter: string; readonly sublayers: readonly Sublayer[] }>

/** The letter of such a layer; one that `layers` has not is added there. */
export function letterOf(sublayers: readonly Sublayer[], layers: Layers): string {
  const key = JSON.stringify(sublayers)
  const known = layers.get(key)
  if (known) return known.letter
  const taken = new Set([...layers.values()].map(({ letter }) => letter))
  const letter = [usualLetter(sublayers), ...others].find((each) => !taken.has(each))
  const rule = `${head}a model must have at most ${others.length} kinds of layers`
  demand(letter !== undefined, rule, 'more', 'Check the lists that differ by layer.')
  layers.set(key, { letter, sublayers })
  return letter
}

export const layersByLetter = (layers: Layers): ModelConfig['layers'] =>
  Object.fromEntries([...layers.values()].map(({ letter, sublayers }) => [letter, sublayers]))

const others = 'ABCFGHIJKNOPQRSTUVWXYZabcefghijkmnopqrstuvwxyz0123456789'

/** Those of Nemotron-H for a layer of one sublayer. */
const alone: { readonly [K in Sublayer['kind']]?: string } = {
  mamba2: 'M',
  attention: '*',
  moe: 'E',
  mlp: '-',
}

/** E and D for a mixture of experts and a dense layer, L and l for the same behind a mixer of bounded memory. */
function usualLetter(sublayers: readonly Sublayer[]): string {
  const [first, ...rest] = sublayers
  if (rest.length === 0) return alone[first.kind] ?? 'A'
  const bounded = first.kind === 'attention' ? first.window !== undefined : !growing.includes(first.kind)
  const sparse = rest.some(({ kind }) => kind === 'moe')
  return sparse ? (bounded ? 'L' : 'E') : bounded ? 'l' : 'D'
}

/** Mixers whose memory grows with the context. */
const growing: readonly Sublayer['kind'][] = [
  'gatedAttention',
  'latentAttention',
  'compressedAttention',
  'attentionExperts',
]
