import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { InputError, readTrace, replayTrace, streams, type Tensor, traceWorkload } from 'moesim'
import { describe, expect, test } from 'vitest'
import { fileOf, floats, ints } from './files.js'

const recorded = readTrace(readFileSync(new URL('../../examples/data/trace.safetensors', import.meta.url)))

const config = {
  n_routed_experts: 4,
  num_experts_per_tok: 2,
  routed_scaling_factor: 2.5,
  norm_topk_prob: true,
  n_group: 1,
  topk_group: 1,
}
/** Three tokens of width 2 at the routers of layers 3 and 10. */
const tensors: Record<string, Tensor> = {
  token_ids: ints([3], [7, 8, 9]),
  domain_ids: ints([3], [0, 1, 1]),
  sequence_ids: ints([3], [0, 0, 1]),
  positions: ints([3], [0, 1, 0]),
  ...layer(10, [1, 2, 3, 4, 5, 6]),
  ...layer(3, [0, 0, 1, 0, 0, 1]),
}
const metadata = { config, domains: [{ name: 'prose', licence: 'CC0' }, { name: 'code' }] }

function layer(index: number, hidden: number[]): Record<string, Tensor> {
  return {
    [`layers.${index}.router_input`]: floats([3, 2], hidden),
    [`layers.${index}.router_weight`]: floats([4, 2], [1, 0, 0, 1, -1, 0, 0, -1]),
    [`layers.${index}.e_score_correction_bias`]: floats([4]),
    [`layers.${index}.topk_indices`]: ints([3, 2], [0, 1, 0, 1, 0, 1]),
    [`layers.${index}.topk_weights`]: floats([3, 2]),
  }
}

const changed = (over: Record<string, Tensor | undefined>, meta: Record<string, unknown> = {}) =>
  readTrace(fileOf({ ...tensors, ...over }, { ...metadata, ...meta }))

function expectRefused(act: () => unknown, message: string): void {
  expect(act).toThrow(InputError)
  expect(act).toThrow(message)
}

describe('a trace', () => {
  test('recorded at a real model is read whole', () => {
    expect(recorded).toMatchObject({
      tokens: 3840,
      domainNames: 'novel speech reference python javascript c json german french spanish math csv'.split(
        ' ',
      ),
      router: {
        numExperts: 128,
        topK: 6,
        scoreFunction: 'sigmoid',
        normalize: true,
        scale: 2.5,
        numGroups: 1,
        topGroups: 1,
      },
    })
    expect(recorded.layers.map(({ index }) => index)).toEqual([1, 4, 6])
    for (const { hidden, weight, bias, experts, weights } of recorded.layers) {
      expect([hidden, weight, bias, experts, weights].map(({ length }) => length)).toEqual([
        3840 * 128,
        128 * 128,
        128,
        3840 * 6,
        3840 * 6,
      ])
    }
  })

  test('recorded at a real model has 24 sequences of 160 tokens, two of each domain', () => {
    const { domains, sequences, positions } = recorded
    const domainOf = Array.from({ length: 24 }, (_, sequence) => domains[sequences.indexOf(sequence)])
    expect([...domainOf].sort((a, b) => a - b)).toEqual(Array.from({ length: 24 }, (_, i) => i >> 1))
    expect(sequences).toEqual(Int32Array.from({ length: 3840 }, (_, token) => Math.floor(token / 160)))
    expect(positions).toEqual(Int32Array.from({ length: 3840 }, (_, token) => token % 160))
    expect(domains).toEqual(sequences.map((sequence) => domainOf[sequence]))
  })

  test('has its layers in ascending order, whatever their order in the file', () => {
    const trace = changed({})
    expect(trace.layers.map(({ index, hidden }) => [index, ...hidden])).toEqual([
      [3, 0, 0, 1, 0, 0, 1],
      [10, 1, 2, 3, 4, 5, 6],
    ])
    expect(trace.domainNames).toEqual(['prose', 'code'])
    expect([...trace.tokenIds]).toEqual([7, 8, 9])
  })

  test('whose tokens choose every expert has no gap between chosen and not chosen', () => {
    const all = ints([3, 4], [0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3])
    const over = [3, 10].flatMap((index) => [
      [`layers.${index}.topk_indices`, all],
      [`layers.${index}.topk_weights`, floats([3, 4])],
    ])
    const trace = changed(Object.fromEntries(over), { config: { ...config, num_experts_per_tok: 4 } })
    const [first] = replayTrace(trace)
    expect(first.smallestGap).toBe(Infinity)
    expect(replayTrace(changed({}))[0].smallestGap).toBe(0) // token 0 is all zeros: every expert ties
  })
})

describe('a trace is refused', () => {
  test.each(Object.keys(tensors).filter((name) => !name.endsWith('router_input')))('without %s', (name) => {
    expectRefused(() => changed({ [name]: undefined }), `readTrace: the file must have router_input`)
    expectRefused(
      () => changed({ [name]: undefined }),
      `metadata config and domains, got "a file that lacks 1 of them". Record ${name}, as`,
    )
  })

  test('with all that it lacks at once', () => {
    const inputs = Object.entries(tensors).filter(([name]) => name.endsWith('router_input'))
    expectRefused(
      () => readTrace(fileOf(Object.fromEntries(inputs), {})),
      'got "a file that lacks 14 of them". Record layers.3.router_weight, layers.3.e_score_correction_bias, ',
    )
    expectRefused(() => readTrace(fileOf(Object.fromEntries(inputs), {})), ' and 5 more, as')
    const over = { 'layers.3.topk_indices': undefined, positions: undefined }
    expectRefused(
      () => changed(over, { config: undefined }),
      `got "a file that lacks 3 of them". Record layers.3.topk_indices, positions, metadata 'config', as the doc`,
    )
  })

  test.each<[string, Tensor, string]>([
    ['domain_ids', ints([2], [0, 0]), 'domain_ids must hold 3 values, got a Int32Array of 2'],
    ['sequence_ids', ints([4], [0, 0, 0, 0]), 'sequence_ids must hold 3 values'],
    ['positions', ints([0], []), 'positions must hold 3 values'],
    ['domain_ids', ints([3], [0, 1, 2]), 'domain_ids must lie below 2, the number of domains'],
    ['domain_ids', ints([3], [0, -1, 0]), 'domain_ids must lie below 2, the number of domains'],
    ['token_ids', ints([0], []), 'there must be tokens and MoE layers, got "0 tokens, 2 layers"'],
    [
      'layers.3.router_input',
      floats([7]),
      'layers.3.router_input must be [T, D], a row for each of 3 tokens',
    ],
    ['layers.3.router_input', floats([3, 0]), 'layers.3.router_input must be [T, D]'],
    ['layers.3.router_input', floats([3, 5]), 'layers.3.router_weight must hold 20 values'],
    ['layers.10.router_weight', floats([3, 2]), 'layers.10.router_weight must hold 8 values'],
    [
      'layers.10.e_score_correction_bias',
      floats([5]),
      'layers.10.e_score_correction_bias must hold 4 values',
    ],
    ['layers.3.topk_indices', ints([3], [0, 1, 2]), 'layers.3.topk_indices must hold 6 values'],
    [
      'layers.3.topk_indices',
      ints([3, 2], [0, 1, 2, 4, -1, 0]),
      'layers.3.topk_indices must be from 0 to 3, or −1, each once a token, got 4',
    ],
    ['layers.3.topk_indices', ints([3, 2], [0, 1, 2, 3, -2, 0]), 'layers.3.topk_indices must be from 0 to 3'],
    ['layers.3.topk_weights', floats([3, 3]), 'layers.3.topk_weights must hold 6 values'],
  ])('whose %s contradicts the rest: %#', (name, tensor, message) => {
    expectRefused(() => changed({ [name]: tensor }), `readTrace: ${message}`)
  })

  test.each<[string, number[], number, string]>([
    ['router_input', [3, 2], 5, 'router_input of token 2'],
    ['router_weight', [4, 2], 3, 'router_weight of expert 1'],
    ['e_score_correction_bias', [4], 3, 'e_score_correction_bias of expert 3'],
    ['topk_weights', [3, 2], 2, 'topk_weights of token 1'],
  ])('whose %s are not all finite, by layer and row', (name, shape, at, rows) => {
    for (const value of [Number.NaN, Infinity, -Infinity]) {
      const odd = floats(shape)
      new DataView(odd.bytes.buffer).setFloat32(4 * at, value, true)
      const message = `readTrace: layers.10.${rows} must be finite, got ${value}. Look for an overflow`
      expectRefused(() => changed({ [`layers.10.${name}`]: odd }), message)
    }
  })

  test('of tensors of another kind', () => {
    expectRefused(() => changed({ token_ids: floats([3]) }), 'int32Of: the dtype must be one of')
    expectRefused(
      () => changed({ 'layers.3.topk_weights': ints([3, 2], [0, 0, 0, 0, 0, 0]) }),
      'float32Of: the dtype must be one of',
    )
  })

  test('without MoE layers, and with layers whose names are none', () => {
    const bare = Object.fromEntries(Object.entries(tensors).filter(([name]) => !name.startsWith('layers')))
    const named = (name: string) => readTrace(fileOf({ ...bare, [name]: floats([3, 2]) }, metadata))
    for (const name of [
      'x',
      'layers.-1.router_input',
      'layers.1.router_input.x',
      'layers.1234567.router_input',
    ])
      expectRefused(() => named(name), 'there must be tokens and MoE layers, got "3 tokens, 0 layers"')
  })

  test.each<[string, unknown, string]>([
    ['config', undefined, `Record metadata 'config', as`],
    ['domains', undefined, `Record metadata 'domains', as`],
    ['config', '{"n_routed', `metadata 'config' must hold JSON, got "{\\"n_routed"`],
    ['config', 'null', "metadata 'config' must be Object, got null"],
    ['config', [], "metadata 'config' must be Object, got an array of 0"],
    ['config', {}, "metadata 'config' must have n_routed_experts, got undefined"],
    ['config', { ...config, n_group: undefined }, "metadata 'config' must have n_group, got undefined"],
    ['config', { ...config, n_group: '1' }, `metadata 'config' must have n_group as number, got "1"`],
    ['config', { ...config, norm_topk_prob: 1 }, "'config' must have norm_topk_prob as boolean, got 1"],
    ['domains', { name: 'x' }, "metadata 'domains' must be Array, got an object"],
    ['domains', [{ name: 'a' }, { title: 'b' }], "metadata 'domains' must have 1.name, got undefined"],
    ['domains', [{ name: ['a'] }, { name: 'b' }], "'domains' must have 0.name as string, got an array of 1"],
    ['domains', [], 'domain_ids must lie below 0'],
    ['domains', 'x'.repeat(1e6), `must hold JSON, got "${'x'.repeat(77)}..."`],
    ['config', `${'['.repeat(1e5)}`, "metadata 'config' must hold JSON"],
  ])('for its metadata: %#', (key, value, message) => {
    expectRefused(() => changed({}, { [key]: value }), message)
    expect(() => changed({}, { [key]: value })).toThrow(/^readTrace: /)
  })

  test.each<[string, number, string]>([
    ['n_routed_experts', -4, 'router: numExperts must be a whole number'],
    ['n_routed_experts', 4.5, 'router: numExperts must be a whole number'],
    ['n_routed_experts', 1e300, 'router: numExperts must be a whole number'],
    ['n_routed_experts', 1e6, 'readTrace: layers.3.e_score_correction_bias must hold 1000000 values'],
    ['num_experts_per_tok', 5, 'router: topK must be a whole number from 1 to 4'],
    ['num_experts_per_tok', 0, 'router: topK must be a whole number from 1 to 4'],
    ['n_group', 3, 'router: numExperts must be a multiple of numGroups = 3'],
    ['topk_group', 2, 'router: topGroups must be a whole number from 1 to 1'],
  ])('for a router that cannot be: %s %d', (name, value, message) => {
    expectRefused(() => changed({}, { config: { ...config, [name]: value } }), message)
  })
})

describe('a trace as a workload', () => {
  const trace = changed({})
  const at = (tokens: number, step = 0, layer = 0) => ({ tokens, step, layer, random: streams(1) })

  test('hands on the next tokens at each step, from the start again after the last', () => {
    const workload = traceWorkload(trace)
    expect(workload(at(2))).toEqual({
      tokens: 2,
      hidden: Float32Array.of(0, 0, 1, 0),
      domains: Int32Array.of(0, 1),
      sequences: Int32Array.of(0, 0),
      positions: Int32Array.of(0, 1),
      tokenIds: Int32Array.of(7, 8),
    })
    expect([...workload(at(2, 1)).tokenIds!]).toEqual([9, 7])
    expect([...workload(at(2, 1, 1)).hidden!]).toEqual([5, 6, 1, 2])
    expect([...workload(at(8, 1)).tokenIds!]).toEqual([9, 7, 8, 9, 7, 8, 9, 7])
  })

  test('gives each token its turn, whatever the size of a step', () => {
    const workload = traceWorkload(recorded)
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 9000 }), fc.nat(1000), fc.nat(8999), (tokens, step, any) => {
        const token = any % tokens
        const batch = workload(at(tokens, step))
        const source = (step * tokens + token) % 3840
        expect(batch.tokenIds).toHaveLength(tokens)
        expect(batch.hidden).toHaveLength(tokens * 128)
        expect(batch.positions![token]).toBe(recorded.positions[source])
        expect(batch.hidden!.slice(token * 128, token * 128 + 128)).toEqual(
          recorded.layers[0].hidden.slice(source * 128, source * 128 + 128),
        )
      }),
      { numRuns: 30 },
    )
  })

  test('can be asked for no tokens', () => {
    expect(traceWorkload(trace)(at(0, 5))).toMatchObject({ tokens: 0, hidden: new Float32Array(0) })
  })

  test('hands out copies: the trace stays as it was read', () => {
    traceWorkload(trace)(at(3)).tokenIds!.fill(0)
    expect([...trace.tokenIds]).toEqual([7, 8, 9])
  })

  test('is refused for more layers than were recorded', () => {
    expectRefused(() => traceWorkload(trace)(at(1, 0, 2)), 'traceWorkload: there are 2 layers, got 2.')
  })
})
