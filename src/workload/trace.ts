import { concatenate, firstNotFinite } from '../arrays.js'
import { demand } from '../errors.js'
import { float32Of, int32Of } from '../formats/decode.js'
import { readSafetensors, type Safetensors, tensor } from '../formats/safetensors.js'
import { checkExperts } from '../router/check-experts.js'
import { type RouterConfig, resolveRouter } from '../router/config.js'
import { metadataOf } from './metadata.js'
import type { Workload } from './protocol.js'

/** Tokens recorded at the routers of a real model, with what its own code made of them. */
export interface Trace {
  readonly tokens: number
  /** Names of the domains that `domains` counts. */
  readonly domainNames: readonly string[]
  /** [T] each. */
  readonly domains: Int32Array
  readonly sequences: Int32Array
  readonly positions: Int32Array
  readonly tokenIds: Int32Array
  readonly router: RouterConfig
  readonly layers: readonly TraceLayer[]
}

export interface TraceLayer {
  /** The layer's place in the model's stack. */
  readonly index: number
  /** [T, D] what the router received. */
  readonly hidden: Float32Array
  /** [E, D] */
  readonly weight: Float32Array
  /** [E] the correction bias. */
  readonly bias: Float32Array
  /** [T, K] the recorded choice, in the recorder's order. */
  readonly experts: Int32Array
  readonly weights: Float32Array
}

const config = {
  n_routed_experts: 'number',
  num_experts_per_tok: 'number',
  routed_scaling_factor: 'number',
  norm_topk_prob: 'boolean',
  n_group: 'number',
  topk_group: 'number',
} as const

const ofLayer = ['router_input', 'router_weight', 'e_score_correction_bias', 'topk_indices', 'topk_weights']
const ofTokens = ['token_ids', 'domain_ids', 'sequence_ids', 'positions']
const ofFile = ['config', 'domains']

/**
 * Reads a routing trace, of a sigmoid router, from a safetensors file:
 * - for each MoE layer N, counted in the whole stack, floats `layers.N.router_input` [T, D], `layers.N.router_weight`
 *   [E, D] and `layers.N.e_score_correction_bias` [E], and the recorded choice, whole `layers.N.topk_indices` [T, K] and
 *   `layers.N.topk_weights` [T, K];
 * - for each token, whole numbers [T]: `token_ids`, `domain_ids` (from 0, in the order of `domains`), `sequence_ids` and
 *   `positions`;
 * - in the header's `__metadata__`, JSON as text: `config`, which has `{"n_routed_experts": 128, "num_experts_per_tok": 6,
 *   "routed_scaling_factor": 2.5, "norm_topk_prob": true, "n_group": 1, "topk_group": 1}`, and `domains`, which has
 *   `[{"name": "prose"}, {"name": "code"}]`; both may have more.
 *
 * Of logits alone, give them as `router_input` and the identity [E, E] as `router_weight`; a bias, where there is none, is 0.
 * Throws an InputError on a file that is not such a trace, with all that it lacks.
 */
export function readTrace(bytes: Uint8Array): Trace {
  const file = readSafetensors(bytes)
  demandComplete(file)
  const given = metadataOf('readTrace', file, 'config', config)
  const domainNames = metadataOf('readTrace', file, 'domains', [{ name: 'string' }]).map(({ name }) => name)
  const perToken = (name: string): Int32Array => int32Of(tensor(file, name))
  const tokenIds = perToken('token_ids')
  const router = {
    numExperts: given.n_routed_experts,
    topK: given.num_experts_per_tok,
    scoreFunction: 'sigmoid',
    normalize: given.norm_topk_prob,
    scale: given.routed_scaling_factor,
    numGroups: given.n_group,
    topGroups: given.topk_group,
  } as const
  const trace = {
    tokens: tokenIds.length,
    domainNames,
    domains: perToken('domain_ids'),
    sequences: perToken('sequence_ids'),
    positions: perToken('positions'),
    tokenIds,
    router,
    layers: layerIndices(file).map((index) => readLayer(file, index)),
  }
  checkTrace(trace)
  return trace
}

function demandComplete(file: Safetensors): void {
  const layers = layerIndices(file).flatMap((index) => ofLayer.map((name) => `layers.${index}.${name}`))
  const missing = [
    ...[...layers, ...ofTokens].filter((name) => !file.tensors.has(name)),
    ...ofFile.filter((name) => file.metadata[name] === undefined).map((name) => `metadata '${name}'`),
  ]
  const rule = `readTrace: the file must have ${ofLayer.join(', ')} of each layer, ${ofTokens.join(', ')}, and metadata ${ofFile.join(' and ')}`
  const more = missing.length > 9 ? ` and ${missing.length - 9} more` : ''
  const remedy = `Record ${missing.slice(0, 9).join(', ')}${more}, as the documentation of readTrace describes them.`
  demand(missing.length === 0, rule, `a file that lacks ${missing.length} of them`, remedy)
}

function layerIndices(file: Safetensors): number[] {
  const indices = [...file.tensors.keys()].flatMap(
    (name) => name.match(/^layers\.(\d{1,6})\.router_input$/)?.[1] ?? [],
  )
  return indices.map(Number).sort((a, b) => a - b)
}

function readLayer(file: Safetensors, index: number): TraceLayer {
  const floats = (name: string): Float32Array => float32Of(tensor(file, `layers.${index}.${name}`))
  return {
    index,
    hidden: floats('router_input'),
    weight: floats('router_weight'),
    bias: floats('e_score_correction_bias'),
    experts: int32Of(tensor(file, `layers.${index}.topk_indices`)),
    weights: floats('topk_weights'),
  }
}

function checkTrace(trace: Trace): void {
  const { tokens, router, domains, domainNames, sequences, positions, layers } = trace
  const { numExperts: E, topK: K } = resolveRouter(router)
  const fits = (what: string, array: Int32Array | Float32Array, length: number): void =>
    demand(
      array.length === length,
      `readTrace: ${what} must hold ${length} values`,
      array,
      'The file contradicts itself.',
    )
  demand(
    tokens > 0 && layers.length > 0,
    'readTrace: there must be tokens and MoE layers',
    `${tokens} tokens, ${layers.length} layers`,
    'Record some.',
  )
  fits('domain_ids', domains, tokens)
  fits('sequence_ids', sequences, tokens)
  fits('positions', positions, tokens)
  const known = domains.every((domain) => domain >= 0 && domain < domainNames.length)
  demand(
    known,
    `readTrace: domain_ids must lie below ${domainNames.length}, the number of domains`,
    domains,
    'Name every domain in the metadata.',
  )
  for (const layer of layers) {
    demand(
      layer.hidden.length > 0 && layer.hidden.length % tokens === 0,
      `readTrace: layers.${layer.index}.router_input must be [T, D], a row for each of ${tokens} tokens`,
      layer.hidden,
      'The file contradicts itself.',
    )
    const width = layer.hidden.length / tokens
    fits(`layers.${layer.index}.e_score_correction_bias`, layer.bias, E)
    fits(`layers.${layer.index}.router_weight`, layer.weight, width * E)
    fits(`layers.${layer.index}.topk_indices`, layer.experts, tokens * K)
    const { experts } = layer
    checkExperts(`readTrace: layers.${layer.index}.topk_indices`, { experts, numExperts: E, topK: K })
    fits(`layers.${layer.index}.topk_weights`, layer.weights, tokens * K)
    finite(`layers.${layer.index}.router_input of token`, layer.hidden, width)
    finite(`layers.${layer.index}.router_weight of expert`, layer.weight, width)
    finite(`layers.${layer.index}.e_score_correction_bias of expert`, layer.bias, 1)
    finite(`layers.${layer.index}.topk_weights of token`, layer.weights, K)
  }
}

/** Every value of rows of `width`; left alone, one that is none would come to light in another place, or in none. */
function finite(rowsOf: string, values: Float32Array, width: number): void {
  const odd = firstNotFinite(values)
  demand(
    odd === values.length,
    `readTrace: ${rowsOf} ${Math.floor(odd / width)} must be finite`,
    values[odd],
    'Look for an overflow where it was recorded.',
  )
}

/**
 * The recorded tokens as a workload of hidden states: each step takes the next ones, from the start again after the
 * last. Route it with `linearRouter(trace.router, trace.layers.map((layer) => layer.weight))`.
 */
export function traceWorkload(trace: Trace): Workload {
  return ({ tokens, step, layer }) => {
    demand(
      layer < trace.layers.length,
      `traceWorkload: there are ${trace.layers.length} layers`,
      layer,
      'Simulate no more.',
    )
    const first = (step * tokens) % trace.tokens
    const take = <A extends Int32Array | Float32Array>(array: A): A =>
      around(array, first, tokens, array.length / trace.tokens)
    return {
      tokens,
      hidden: take(trace.layers[layer].hidden),
      domains: take(trace.domains),
      sequences: take(trace.sequences),
      positions: take(trace.positions),
      tokenIds: take(trace.tokenIds),
    }
  }
}

/** `count` rows of `width` from row `first` on, going around. */
function around<A extends Int32Array | Float32Array>(
  rows: A,
  first: number,
  count: number,
  width: number,
): A {
  const parts: A[] = []
  let from = first * width
  let left = count * width
  do {
    const part = rows.subarray(from, from + left) as A
    parts.push(part)
    left -= part.length
    from = 0
  } while (left > 0)
  return concatenate(parts)
}
