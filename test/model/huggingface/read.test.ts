import { countParameters, fromHuggingFaceConfig, InputError, type ModelType, publishedModels } from 'moesim'
import { describe, expect, test } from 'vitest'

/** A small config of a well-known type, with some fields replaced. */
const mixtral = (fields: object = {}): Record<string, unknown> => ({
  model_type: 'mixtral',
  hidden_size: 64,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  intermediate_size: 128,
  num_local_experts: 8,
  num_experts_per_tok: 2,
  vocab_size: 256,
  ...fields,
})

const typed = (model_type: string, fields: object = {}): Record<string, unknown> =>
  mixtral({ model_type, ...fields })

const jamba = (fields: object): Record<string, unknown> =>
  typed('jamba', {
    num_hidden_layers: 4,
    attn_layer_period: 2,
    attn_layer_offset: 1,
    mamba_d_conv: 4,
    mamba_d_state: 16,
    ...fields,
  })

const nemotron = (fields: object): Record<string, unknown> =>
  typed('nemotron_h', {
    hybrid_override_pattern: 'ME*',
    num_hidden_layers: 3,
    mamba_num_heads: 4,
    mamba_head_dim: 16,
    ssm_state_size: 16,
    conv_kernel: 4,
    moe_intermediate_size: 32,
    ...fields,
  })

const kimi = (fields: object): Record<string, unknown> =>
  typed('kimi_linear', {
    linear_attn_config: { num_heads: 4, head_dim: 16, short_conv_kernel_size: 4, ...fields },
    kv_lora_rank: 16,
    qk_nope_head_dim: 16,
    qk_rope_head_dim: 8,
    v_head_dim: 16,
  })

const patternOf = (config: object): string => fromHuggingFaceConfig(config).pattern

describe('an unknown model_type', () => {
  const unknown = typed('mixtrall', { mamba_experts: 4, rope_theta: 1e6, n_gates: 2 })

  test('is refused with the nearest known one and the fields that have no place', () => {
    expect(() => fromHuggingFaceConfig(unknown)).toThrow(InputError)
    expect(() => fromHuggingFaceConfig(unknown)).toThrow(
      /model_type must be a known one, got "mixtrall"\. Did you mean 'mixtral'\? Known: arctic, .*'llama-moe'.* no place in any of them: mamba_experts, n_gates\.$/,
    )
  })

  test('is read as what the caller assumes', () => {
    const assumed = fromHuggingFaceConfig(unknown, { assume: 'llama-moe', name: 'Mine' })
    expect(assumed).toEqual({ ...fromHuggingFaceConfig(mixtral()), name: 'Mine' })
    expect(fromHuggingFaceConfig(unknown, { assume: 'mixtral' }).name).toBe('mixtrall')
  })

  test('names a dozen of many fields', () => {
    const many = Object.fromEntries(Array.from({ length: 1000 }, (_, i) => [`gate_${i}`, i]))
    expect(() => fromHuggingFaceConfig({ model_type: 'x', ...many })).toThrow(/gate_11 and 988 more\.$/)
  })

  test.each([undefined, null, 7, {}, 'constructor', '__proto__', 'toString'])(
    'is refused: %s',
    (model_type) => {
      expect(() => fromHuggingFaceConfig(mixtral({ model_type }))).toThrow('model_type must be a known one')
    },
  )

  test('is refused in an assumption too', () => {
    expect(() => fromHuggingFaceConfig(mixtral(), { assume: 'hasOwnProperty' })).toThrow(
      'must be a known one',
    )
  })
})

test('a model whose parts exist is data only', () => {
  const invented: ModelType = {
    layer: [
      {
        by: 'attention',
        of: { full: [{ kind: 'latentAttention' }], other: [{ kind: 'lightningAttention' }] },
      },
      {
        by: 'experts',
        of: { dense: [{ kind: 'mlp' }], moe: [{ kind: 'moe', scoreFunction: 'sigmoid', sharedGate: true }] },
      },
    ],
    constants: { fullInterval: 3, hyperConnections: 2 },
    mtp: [{ kind: 'latentAttention' }, { kind: 'mlp' }],
  }
  const config = {
    model_type: 'invented',
    d_model: 64,
    n_layers: 6,
    n_heads: 4,
    kv_lora_rank: 16,
    qk_nope_head_dim: 16,
    qk_rope_head_dim: 8,
    v_head_dim: 16,
    intermediate_size: 96,
    moe_intermediate_size: 32,
    first_k_dense_replace: 1,
    moe_num_experts: 8,
    moe_k: 2,
    n_shared_experts: 1,
    num_nextn_predict_layers: 2,
    vocab_size: 100,
  }
  const model = fromHuggingFaceConfig(config, { assume: invented })
  expect(model.pattern).toBe('lLELLE')
  expect(model.mtp).toEqual(['D', 'D'])
  const { parts, mtp } = countParameters(model)
  const expert = 3 * 64 * 32
  expect(parts.routedExperts).toEqual({ total: 5 * 8 * expert, active: 5 * 2 * expert })
  expect(parts.linearAttention.total).toBe(4 * 64 * (5 * 64 + 1))
  expect(parts.sharedExperts.total).toBe(5 * (expert + 64))
  expect(mtp).toBeGreaterThan(0)
  expect(() => fromHuggingFaceConfig(mixtral())).not.toThrow()
})

test('a description that names what there is not is refused', () => {
  const read = (assume: object) => () => fromHuggingFaceConfig(mixtral(), { assume: assume as ModelType })
  expect(read({})).toThrow('assume.layer must be an array, got undefined')
  expect(read({ layer: [] })).toThrow('assume.layer.length must be a whole number from 1 to 16, got 0')
  expect(read({ layer: [{ kind: 'toString' }] })).toThrow('the kind of a part must be one of mamba2, ')
  expect(read({ layer: [{ by: 'toString', of: {} }] })).toThrow(
    'the rule of a choice must be one of attention, ',
  )
})

test('a config without a name is read under an assumption', () => {
  const { model_type: _, ...nameless } = mixtral()
  expect(fromHuggingFaceConfig(nameless, { assume: 'mixtral' }).name).toBe('unnamed')
})

describe('which layer is what', () => {
  test.each([
    [{ num_hidden_layers: 4 }, 'EEEE'],
    [{ num_hidden_layers: 4, first_k_dense_replace: 2 }, 'DDEE'],
    [{ num_hidden_layers: 4, moe_layer_freq: 2 }, 'EDED'],
    [{ num_hidden_layers: 4, moe_layer_freq: [0, 1, 1, 0] }, 'DEED'],
    [{ num_hidden_layers: 4, moe_layer_freq: 0 }, 'DDDD'],
    [{ num_hidden_layers: 4, moe_layers_enum: '1,3' }, 'DEDE'],
    [{ num_hidden_layers: 4, mlp_only_layers: [1, 3] }, 'EDED'],
    [{ num_hidden_layers: 4, decoder_sparse_step: 2 }, 'DEDE'],
    [{ num_hidden_layers: 4, interleave_moe_layer_step: 2, first_k_dense_replace: 2 }, 'DDDE'],
    [{ num_hidden_layers: 4, expert_layer_period: 2, expert_layer_offset: 1 }, 'DEDE'],
    [{ num_hidden_layers: 4, moe_layer_start_index: 1, moe_layer_end_index: 2 }, 'DEED'],
    [{ num_hidden_layers: 4, moe_layer_start_index: 1, moe_layer_end_index: -1 }, 'DEEE'],
  ])('%j: %s', (fields, pattern) => expect(patternOf(typed('llama-moe', fields))).toBe(pattern))

  test.each([
    [jamba({}), 'LELE'],
    [jamba({ layers_block_type: ['mamba', 'attention', 'mamba', 'attention'] }), 'LELE'],
    [jamba({ attn_layer_period: null, _n_attention: 1 }), 'LLEL'],
    [typed('gpt_oss', { num_hidden_layers: 4, sliding_window: 8 }), 'LELE'],
    [typed('gpt_oss', { sliding_window: 8, layer_types: ['full_attention', 'sliding_attention'] }), 'EL'],
    [typed('llama4_text', { attention_chunk_size: 8, no_rope_layers: [0, 1] }), 'EL'],
    [kimi({ full_attn_layers: [2], kda_layers: [1] }), 'LE'],
    [kimi({ kda_layers: [2] }), 'EL'],
    [nemotron({}), 'ME*'],
    [nemotron({ hybrid_override_pattern: null, layers_block_type: ['moe', 'mlp', 'attention'] }), 'E-*'],
    // as transformers 5 writes it
    [
      nemotron({
        hybrid_override_pattern: null,
        layers_block_type: ['linear_attention', 'moe', 'full_attention'],
        mtp_layers_block_type: ['full_attention', 'moe'],
        num_nextn_predict_layers: 1,
      }),
      'ME*',
    ],
    [nemotron({ num_hidden_layers: null, hybrid_override_pattern: 'ME*EM' }), 'ME*EM'],
    [nemotron({ num_nextn_predict_layers: 1, mtp_hybrid_override_pattern: '*-' }), 'ME*'],
  ])('%#: %s', (config, pattern) => expect(patternOf(config)).toBe(pattern))

  test('a lone sublayer without a usual letter gets the first free one', () => {
    const assume: ModelType = { layer: [{ kind: 'gatedAttention' }] }
    expect(fromHuggingFaceConfig(mixtral(), { assume }).pattern).toBe('AA')
  })

  test('layers beyond the usual letters have others', () => {
    const widths = Array.from({ length: 8 }, (_, i) => 32 * (i + 1))
    const model = fromHuggingFaceConfig(
      typed('llama-moe', { num_hidden_layers: 8, intermediate_size: widths }),
    )
    expect(model.pattern).toBe('EABCFGHI')
  })
})

describe('a config of text and images is read for its text', () => {
  test('with what stands outside', () => {
    const { model_type, ...text_config } = mixtral()
    const outer = { model_type, text_config, tie_word_embeddings: true, vision_config: { hidden_size: 9 } }
    expect(fromHuggingFaceConfig(outer)).toEqual(
      fromHuggingFaceConfig(mixtral({ tie_word_embeddings: true })),
    )
  })

  test('and the type that stands inside', () => {
    const outer = { model_type: 'some_vl', language_config: mixtral() }
    expect(fromHuggingFaceConfig(outer)).toEqual(fromHuggingFaceConfig(mixtral()))
  })
})

describe('aliases', () => {
  test('of one thing may stand together when they agree', () => {
    const both = mixtral({ num_experts: [8], n_routed_experts: 8 })
    expect(fromHuggingFaceConfig(both)).toEqual(fromHuggingFaceConfig(mixtral()))
  })

  test('values as wide as keys are not told twice', () => {
    const values = (v_head_dim: number) => fromHuggingFaceConfig(mixtral({ v_head_dim })).layers.E[0]
    expect(values(16)).toEqual(fromHuggingFaceConfig(mixtral()).layers.E[0])
    expect(values(8)).toMatchObject({ headDim: 16, valueHeadDim: 8 })
  })

  test('null is silence', () => {
    expect(fromHuggingFaceConfig(mixtral({ head_dim: null }))).toEqual(fromHuggingFaceConfig(mixtral()))
  })

  test('norms of queries and keys follow the config where the type has them', () => {
    const norms = (type: string, fields: object): unknown => {
      const { layers } = fromHuggingFaceConfig(typed(type, fields))
      return (layers.E[0] as { qkNorm?: string }).qkNorm
    }
    expect(norms('minimax_m2', {})).toBe('fullWidth')
    expect(norms('minimax_m2', { qk_norm_type: 'per_head' })).toBe('perHead')
    expect(norms('qwen3_moe', { qk_norm_type: 'per_layer' })).toBe('fullWidth')
    expect(norms('hunyuan', { use_qk_norm: false })).toBeUndefined()
    expect(norms('glm4_moe', {})).toBeUndefined()
    expect(norms('mixtral', { use_qk_norm: true })).toBeUndefined()
  })

  test('shared experts: their width together, or each as wide as a routed one', () => {
    const shared = (fields: object): unknown => {
      const { sharedExperts, sharedExpertWidth } = fromHuggingFaceConfig(mixtral(fields)).layers.E[1] as never
      return [sharedExperts, sharedExpertWidth]
    }
    expect(shared({})).toEqual([0, 0])
    expect(shared({ n_shared_experts: 2 })).toEqual([2, 128])
    expect(shared({ shared_intermediate_size: 96 })).toEqual([1, 96])
    expect(shared({ n_shared_experts: 2, shared_intermediate_size: 96 })).toEqual([2, 48])
    expect(shared({ n_shared_experts: 0, shared_intermediate_size: 96 })).toEqual([0, 0])
  })

  test('the rank of the time step of Mamba-1 is a 16th of D unless given', () => {
    const rank = (fields: object) => fromHuggingFaceConfig(jamba(fields)).layers.L[0]
    expect(rank({ hidden_size: 72 })).toMatchObject({ timeStepRank: 5, innerSize: 144 })
    expect(rank({ mamba_dt_rank: 'auto' })).toMatchObject({ timeStepRank: 4 })
    expect(rank({ mamba_dt_rank: 7 })).toMatchObject({ timeStepRank: 7 })
  })

  test('DeepSeek-V3 has the bias that its class always has, where no method is named', () => {
    const { topk_method: _, ...unnamed } = publishedModels['deepseek-v3'].config as Record<string, unknown>
    const named = fromHuggingFaceConfig(publishedModels['deepseek-v3'].config)
    expect(fromHuggingFaceConfig(unnamed).layers).toEqual(named.layers)
    expect(countParameters(named).parts.routerBias!.total).toBe(58 * 256)
  })

  test('of groups only where the method selects by group', () => {
    const router = (fields: object): object => {
      const { layers } = fromHuggingFaceConfig(mixtral({ n_group: 4, topk_group: 2, ...fields }))
      return (layers.E[1] as { router: object }).router
    }
    expect(router({})).toMatchObject({ numGroups: 4, topGroups: 2 })
    expect(router({ topk_method: 'greedy' })).not.toHaveProperty('numGroups')
  })
})

describe('a config that contradicts itself is refused with both numbers', () => {
  const cases: [object, string][] = [
    [mixtral({ num_experts_per_tok: 9 }), 'num_experts_per_tok must be at most num_local_experts = 8, got 9'],
    [
      mixtral({ num_attention_heads: 5 }),
      'the hidden size must be a multiple of the number of heads, 5, got 64',
    ],
    [mixtral({ num_key_value_heads: 3 }), 'numHeads must be a multiple of numKeyValueHeads = 3, got 4'],
    [mixtral({ num_experts: 16 }), 'num_local_experts must agree with num_experts = 16, got 8'],
    [
      mixtral({ n_shared_experts: 3, share_expert_dim: 64 }),
      'share_expert_dim must be a multiple of the number of shared experts, 3, got 64',
    ],
    [mixtral({ n_group: 3, topk_group: 1 }), 'numExperts must be a multiple of numGroups = 3, got 8'],
    [
      mixtral({ num_local_experts: [8, 8, 8] }),
      'num_local_experts.length must be the number of layers, 2, got 3',
    ],
    [nemotron({ num_hidden_layers: 4 }), 'must have a letter for each of the 4 layers, got 3'],
    [
      nemotron({ hybrid_override_pattern: 'ME|' }),
      'layer 2, counted from 0, must be one of M, *, E, - by its pattern, got "|"',
    ],
    [
      nemotron({ hybrid_override_pattern: null, layers_block_type: ['moe', 'moe', 'toString'] }),
      'got "toString"',
    ],
    [
      nemotron({ hybrid_override_pattern: null }),
      'the config must state hybrid_override_pattern or layers_block_type',
    ],
    [jamba({ attn_layer_offset: 2 }), 'attn_layer_offset must be less than attn_layer_period = 2, got 2'],
    [
      jamba({ layers_block_type: ['mamba', 'mamba', 'mamba', 'attention'] }),
      'attn_layer_period and layer_types must agree on which layers have full attention, got "layer 1, counted from 0"',
    ],
    [
      typed('gpt_oss', { sliding_window: 8, layer_types: ['full_attention', 'fulll_attention'] }),
      'layer_types: layer 1, counted from 0, must be one of full_attention, attention, 1, sliding_attention, chunked_attention, linear_attention, mamba, 0, got "fulll_attention"',
    ],
    [
      kimi({ full_attn_layers: [1, 2], kda_layers: [2] }),
      'kda_layers and linear_attn_config.full_attn_layers must agree',
    ],
    [kimi({ full_attn_layers: [3] }), 'full_attn_layers: a layer must be a whole number from 1 to 2, got 3'],
    [
      typed('llama-moe', { mlp_only_layers: [2] }),
      'mlp_only_layers: a layer must be a whole number from 0 to 1, got 2',
    ],
    [
      typed('llama-moe', { moe_layers_enum: '0,x' }),
      'moe_layers_enum: a layer must be a whole number from 0 to 1, got NaN',
    ],
    [
      typed('granitemoehybrid', { use_conv_bias: false, layer_types: ['mamba', 'mamba'] }),
      'use_conv_bias must be true for this type of model, got false',
    ],
    [nemotron({ mlp_bias: true }), 'mlp_bias must be false for this type of model, got true'],
  ]
  test.each(cases.map(([config, message]) => [message, config] as const))('%s', (message, config) => {
    expect(() => fromHuggingFaceConfig(config)).toThrow(InputError)
    expect(() => fromHuggingFaceConfig(config)).toThrow(message)
  })
})

describe('malformed, hostile and huge configs are refused at once', () => {
  const deep = JSON.parse(`${'['.repeat(5000)}${']'.repeat(5000)}`)
  const poisoned = JSON.parse('{"__proto__": {"model_type": "mixtral", "hidden_size": 64}}')
  const cases: [unknown, string][] = [
    [undefined, 'the config must be an object, got undefined'],
    [null, 'the config must be an object, got null'],
    ['{}', 'the config must be an object, got "{}". Parse the text'],
    [[mixtral()], 'the config must be an object, got an array of 1'],
    [deep, 'the config must be an object, got an array of 1'],
    [poisoned, 'model_type must be a known one, got undefined'],
    [Object.create(mixtral()), 'model_type must be a known one'],
    [
      mixtral({ num_hidden_layers: 1e9 }),
      'num_hidden_layers must be a whole number from 1 to 16777216, got 1000000000',
    ],
    [
      mixtral({ num_hidden_layers: 1e6 }),
      'the number of layers must be a whole number from 1 to 4096, got 1000000',
    ],
    [mixtral({ num_hidden_layers: 0 }), 'num_hidden_layers must be a whole number from 1'],
    [mixtral({ num_hidden_layers: deep }), 'num_hidden_layers must be a whole number from 1'],
    [
      mixtral({ num_local_experts: [{}, 8] }),
      'num_local_experts must be a whole number from 1 to 16777216, got an object',
    ],
    [
      mixtral({ num_experts: [deep], num_local_experts: 8 }),
      'num_local_experts must agree with num_experts = an object, got 8',
    ],
    [mixtral({ hidden_size: -64 }), 'hidden_size must be a whole number from 1 to 16777216, got -64'],
    [mixtral({ hidden_size: '64' }), 'hidden_size must be a whole number from 1 to 16777216, got "64"'],
    [mixtral({ hidden_size: Number.NaN }), 'hidden_size must be a whole number from 1 to 16777216, got NaN'],
    [
      mixtral({ hidden_size: Infinity }),
      'hidden_size must be a whole number from 1 to 16777216, got Infinity',
    ],
    [
      mixtral({ hidden_size: 2 ** 21 }),
      'model: hiddenSize must be a whole number from 1 to 1048576, got 2097152',
    ],
    [
      mixtral({ hidden_size: null }),
      'the config must state hidden_size or d_model or emb_size, got undefined',
    ],
    [mixtral({ vocab_size: {} }), 'vocab_size must be a whole number from 1 to 16777216, got an object'],
    [mixtral({ tie_word_embeddings: 'false' }), 'tie_word_embeddings must be true or false, got "false"'],
    [mixtral({ hidden_act: 'toString' }), 'hidden_act must be one of relu, '],
    [mixtral({ hidden_act: 7 }), 'hidden_act must be a string, got 7'],
    [mixtral({ routed_scaling_factor: 'big' }), 'routed_scaling_factor must be a finite number, got "big"'],
    [
      mixtral({ routed_scaling_factor: Infinity }),
      'routed_scaling_factor must be a finite number, got Infinity',
    ],
    [
      mixtral({ scoring_func: 'tanh' }),
      'scoring_func must be one of sigmoid, softmax, sqrtsoftplus, got "tanh"',
    ],
    [
      mixtral({ num_local_experts: new Array(1e9) }),
      'num_local_experts.length must be the number of layers, 2, got 1000000000',
    ],
    [mixtral({ num_local_experts: [] }), 'num_local_experts.length must be the number of layers, 2, got 0'],
    [
      typed('llama-moe', { mlp_only_layers: new Array(1e9) }),
      'mlp_only_layers.length must be a whole number from 0 to 2',
    ],
    [typed('llama-moe', { mlp_only_layers: 7 }), 'mlp_only_layers must list layers, got 7'],
    [
      typed('llama-moe', { moe_layers_enum: ','.repeat(1e8) }),
      'moe_layers_enum.length must be a whole number from 0 to 20',
    ],
    [
      typed('glm4_moe', { num_nextn_predict_layers: 1e6 }),
      'the number of blocks for multi-token prediction must be a whole number from 0 to 16',
    ],
    [
      typed('llama-moe', {
        num_hidden_layers: 100,
        intermediate_size: Array.from({ length: 100 }, (_, i) => i + 8),
      }),
      'a model must have at most',
    ],
    [typed('x'.repeat(1e7)), 'model_type must be a known one, got "xxx'],
  ]
  test.each(cases.map(([config, message]) => [message, config] as const))('%s', (message, config) => {
    const start = performance.now()
    expect(() => fromHuggingFaceConfig(config)).toThrow(InputError)
    expect(() => fromHuggingFaceConfig(config)).toThrow(message)
    expect(performance.now() - start).toBeLessThan(1000)
  })

  test('keys of prototypes, deep nesting and a million strange fields beside a sound config change nothing', () => {
    const strange = Object.fromEntries(Array.from({ length: 1e5 }, (_, i) => [`field_${i}`, deep]))
    const config = Object.assign(
      JSON.parse('{"__proto__": {"hidden_size": 1}, "constructor": 1}'),
      strange,
      mixtral(),
    )
    expect(fromHuggingFaceConfig(config)).toEqual(fromHuggingFaceConfig(mixtral()))
  })

  test('a stack of 4096 layers is read', () => {
    const model = fromHuggingFaceConfig(typed('llama-moe', { num_hidden_layers: 4096, mlp_only_layers: [0] }))
    expect(model.pattern).toBe(`D${'E'.repeat(4095)}`)
  })
})
