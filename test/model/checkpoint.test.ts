import {
  compareCheckpoint,
  countCheckpoint,
  countParameters,
  fromHuggingFaceConfig,
  InputError,
  nemotron3Nano,
  presets,
  type TensorEntry,
  tensorPart,
} from 'moesim'
import { describe, expect, test } from 'vitest'

const entry = (name: string, shape: readonly number[], dtype = 'BF16'): TensorEntry => ({
  name,
  dtype,
  shape,
})

const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i)

/** The tensors of DeepSeek-V3 and R1 as their files hold them, [name, shape] with a layer's number left out. */
function deepseekV3(): TensorEntry[] {
  const fp8 = (name: string, [rows, columns]: [number, number]): TensorEntry[] => [
    entry(`${name}.weight`, [rows, columns], 'F8_E4M3'),
    entry(`${name}.weight_scale_inv`, [Math.ceil(rows / 128), Math.ceil(columns / 128)], 'F32'),
  ]
  const mlp = (name: string, width: number): TensorEntry[] => [
    ...fp8(`${name}.gate_proj`, [width, 7168]),
    ...fp8(`${name}.up_proj`, [width, 7168]),
    ...fp8(`${name}.down_proj`, [7168, width]),
  ]
  const layer = (i: number): TensorEntry[] => {
    const at = `model.layers.${i}`
    const attention = [
      ...fp8(`${at}.self_attn.q_a_proj`, [1536, 7168]),
      entry(`${at}.self_attn.q_a_layernorm.weight`, [1536]),
      ...fp8(`${at}.self_attn.q_b_proj`, [24576, 1536]),
      ...fp8(`${at}.self_attn.kv_a_proj_with_mqa`, [576, 7168]),
      entry(`${at}.self_attn.kv_a_layernorm.weight`, [512]),
      ...fp8(`${at}.self_attn.kv_b_proj`, [32768, 512]),
      ...fp8(`${at}.self_attn.o_proj`, [7168, 16384]),
      entry(`${at}.input_layernorm.weight`, [7168]),
      entry(`${at}.post_attention_layernorm.weight`, [7168]),
    ]
    if (i < 3) return [...attention, ...mlp(`${at}.mlp`, 18432)]
    return [
      ...attention,
      entry(`${at}.mlp.gate.weight`, [256, 7168]),
      entry(`${at}.mlp.gate.e_score_correction_bias`, [256], 'F32'),
      ...mlp(`${at}.mlp.shared_experts`, 2048),
      ...range(0, 256).flatMap((e) => mlp(`${at}.mlp.experts.${e}`, 2048)),
    ]
  }
  return [
    entry('model.embed_tokens.weight', [129280, 7168]),
    ...range(0, 62).flatMap(layer),
    entry('model.layers.61.eh_proj.weight', [7168, 14336]),
    ...['enorm', 'hnorm', 'shared_head.norm'].map((name) => entry(`model.layers.61.${name}.weight`, [7168])),
    entry('model.layers.61.embed_tokens.weight', [129280, 7168]),
    entry('model.layers.61.shared_head.head.weight', [129280, 7168]),
    entry('model.norm.weight', [7168]),
    entry('lm_head.weight', [129280, 7168]),
  ]
}

test('DeepSeek-V3 holds 684,531,386,000 numbers in 91,991 tensors, and the config explains each', () => {
  const model = presets['deepseek-v3']!
  const compared = compareCheckpoint(model, deepseekV3())
  // As a listing of the files of DeepSeek-R1 sums them up.
  expect(compared).toMatchObject({ tensors: 91991, numbers: 684_531_386_000, explained: true, unknown: [] })
  const { parts, mtp } = countParameters(model)
  for (const [part, { total }] of Object.entries(parts))
    expect([part, compared.parts[part]]).toEqual([part, total])
  expect(compared.parts.mtp).toBe(mtp)
  expect(compared.parts.mtpCopies).toBe(2 * 129280 * 7168)
  expect(compared.parts.scales).toBe(684_531_386_000 - 684_489_845_504) // the hub's figure, and the recorded weights
  expect(compared.compared.filter(({ why }) => why)).toEqual([
    {
      part: 'mtpCopies',
      config: 0,
      checkpoint: 2 * 129280 * 7168,
      why: 'copies of embedding and head in the blocks for multi-token prediction',
    },
    { part: 'scales', config: 0, checkpoint: 41_540_496, why: 'scales of quantized weights' },
  ])
  expect(Object.values(compared.dtypes).reduce((a, b) => a + b)).toBe(684_531_386_000)
})

/** gpt-oss-20b as its files hold it: experts in MXFP4, 32 values of four bits in 16 bytes and a scale for them. */
function gptOss(): TensorEntry[] {
  const layer = (i: number): TensorEntry[] => {
    const at = `model.layers.${i}`
    const linear = (name: string, out: number, inputs: number): TensorEntry[] => [
      entry(`${at}.${name}.weight`, [out, inputs]),
      entry(`${at}.${name}.bias`, [out]),
    ]
    const packed = (name: string, out: number): TensorEntry[] => [
      entry(`${at}.mlp.experts.${name}_blocks`, [32, out, 90, 16], 'U8'),
      entry(`${at}.mlp.experts.${name}_scales`, [32, out, 90], 'U8'),
      entry(`${at}.mlp.experts.${name}_bias`, [32, out]),
    ]
    return [
      ...linear('self_attn.q_proj', 4096, 2880),
      ...linear('self_attn.k_proj', 512, 2880),
      ...linear('self_attn.v_proj', 512, 2880),
      ...linear('self_attn.o_proj', 2880, 4096),
      entry(`${at}.self_attn.sinks`, [64]),
      ...linear('mlp.router', 32, 2880),
      ...packed('gate_up_proj', 5760),
      ...packed('down_proj', 2880),
      entry(`${at}.input_layernorm.weight`, [2880]),
      entry(`${at}.post_attention_layernorm.weight`, [2880]),
    ]
  }
  return [
    entry('model.embed_tokens.weight', [201088, 2880]),
    ...range(0, 24).flatMap(layer),
    entry('model.norm.weight', [2880]),
    entry('lm_head.weight', [201088, 2880]),
  ]
}

test('gpt-oss-20b packs two weights a byte: 20,914,757,184 and their scales', () => {
  const model = presets['gpt-oss-20b']!
  const { numbers, parts, explained } = compareCheckpoint(model, gptOss())
  expect({ explained, weights: numbers - parts.scales! }).toEqual({
    explained: true,
    weights: 20_914_757_184,
  })
  expect(parts.scales).toBe((24 * 32 * (5760 + 2880) * 2880) / 32)
  expect(parts.router).toBe(countParameters(model).parts.router!.total)
})

/** A model of two small layers, and its tensors under Mixtral's names. */
const config = {
  model_type: 'mixtral',
  hidden_size: 8,
  num_hidden_layers: 2,
  num_attention_heads: 2,
  num_key_value_heads: 1,
  intermediate_size: 16,
  num_local_experts: 4,
  num_experts_per_tok: 2,
  vocab_size: 10,
}
const mixtral = fromHuggingFaceConfig(config)
const own: TensorEntry[] = [
  entry('model.embed_tokens.weight', [10, 8]),
  entry('lm_head.weight', [10, 8]),
  entry('model.norm.weight', [8]),
  ...range(0, 2).flatMap((i) => [
    ...['q', 'o'].map((name) => entry(`model.layers.${i}.self_attn.${name}_proj.weight`, [8, 8])),
    ...['k', 'v'].map((name) => entry(`model.layers.${i}.self_attn.${name}_proj.weight`, [4, 8])),
    entry(`model.layers.${i}.block_sparse_moe.gate.weight`, [4, 8]),
    ...range(0, 4).flatMap((e) =>
      ['w1', 'w2', 'w3'].map((w) =>
        entry(`model.layers.${i}.block_sparse_moe.experts.${e}.${w}.weight`, [16, 8]),
      ),
    ),
    ...['input', 'post_attention'].map((name) => entry(`model.layers.${i}.${name}_layernorm.weight`, [8])),
  ]),
]
const without = (pattern: RegExp): TensorEntry[] => own.filter(({ name }) => !pattern.test(name))
const whyOf = (tensors: readonly TensorEntry[], fields: object = {}): [string, string | undefined][] =>
  compareCheckpoint(fromHuggingFaceConfig({ ...config, ...fields }), tensors)
    .compared.filter(({ config, checkpoint }) => config !== checkpoint)
    .map(({ part, why }) => [part, why])

describe('a difference', () => {
  test('is none where the checkpoint is what the config says', () => {
    expect(whyOf(own)).toEqual([])
    expect(countCheckpoint(mixtral, own).numbers).toBe(countParameters(mixtral).total)
  })

  test.each([
    [without(/lm_head/), {}, ['lmHead', 'not stored: the embedding serves as the head']],
    [own, { tie_word_embeddings: true }, ['lmHead', 'tied to the embedding, and stored all the same']],
    [
      [...own, entry('mtp.layers.0.norm.weight', [8])],
      {},
      ['mtp', 'blocks for multi-token prediction that the config does not tell of'],
    ],
    [
      [...own, entry('model.layers.2.eh_proj.weight', [8, 16])],
      {},
      ['mtp', 'blocks for multi-token prediction that the config does not tell of'],
    ],
    // A layer more than the config has is no such block, and further ones are not even taken for one.
    [[...own, entry('model.layers.2.self_attn.q_proj.weight', [8, 8])], {}, ['mtp', undefined]],
    [[...own, entry('model.layers.3.self_attn.q_proj.weight', [8, 8])], {}, ['unknown', undefined]],
    [
      [...own, entry('model.layers.0.self_attn.rotary_emb.inv_freq', [4], 'F32')],
      {},
      ['buffers', 'computed or looked up, not learned'],
    ],
    [
      [...own, entry('model.layers.0.ids', [4], 'I64')],
      {},
      ['buffers', 'computed or looked up, not learned'],
    ],
    [
      [...own, entry('vision_tower.layers.0.mlp.weight', [4])],
      {},
      ['otherModalities', 'towers of other modalities'],
    ],
    [[...own, entry('model.layers.0.mystery.weight', [4])], {}, ['unknown', undefined]],
    [without(/k_proj/), {}, ['attention', undefined]],
    [without(/input_layernorm/), {}, ['norms', undefined]],
  ])('is explained or left: %#', (tensors, fields, difference) => {
    expect(whyOf(tensors, fields)).toEqual([difference])
  })

  test('of correction biases and stored blocks that are left out has its reason', () => {
    const nano = compareCheckpoint(nemotron3Nano, [])
    expect(nano.compared.find(({ part }) => part === 'routerBias')?.why).toBe(
      'the checkpoint leaves the correction biases out',
    )
    const v3 = compareCheckpoint(presets['deepseek-v3']!, [])
    expect(v3.compared.find(({ part }) => part === 'mtp')?.why).toMatch(/leaves the blocks .* out/)
    expect(v3.explained).toBe(false)
  })
})

describe('quantized weights', () => {
  const weight = 'model.layers.0.block_sparse_moe.experts.0.w1.weight'
  const numbers = (...tensors: TensorEntry[]): Readonly<Record<string, number>> =>
    countCheckpoint(mixtral, tensors).parts

  test('of NVFP4 and bitsandbytes hold two a byte beside their scales', () => {
    const packed = entry(weight, [16, 4], 'U8')
    expect(
      numbers(packed, entry(`${weight}_scale`, [16, 1], 'F8_E4M3'), entry(`${weight}_scale_2`, [])),
    ).toEqual({
      routedExperts: 128,
      scales: 17,
    })
    const scales = ['absmax', 'quant_map', 'quant_state.bitsandbytes__nf4'].map((name) =>
      entry(`${weight}.${name}`, [2]),
    )
    expect(numbers(packed, ...scales)).toEqual({ routedExperts: 128, scales: 6 })
    expect(numbers(entry(weight.replace('weight', 'weight_packed'), [16, 4], 'U8'))).toEqual({
      routedExperts: 128,
    })
    expect(numbers(entry(weight, [16, 8], 'F4'))).toEqual({ routedExperts: 128 })
  })

  test('of int8 are one a byte', () => {
    expect(
      numbers(entry(weight, [16, 8], 'I8'), entry(weight.replace('weight', 'SCB'), [16], 'F32')),
    ).toEqual({
      routedExperts: 128,
      scales: 16,
    })
  })

  test('in whole numbers of 32 bits are named, and nothing is claimed of them', () => {
    const packed = without(/experts\.0\.w1/).concat(
      range(0, 2).map((i) => entry(`model.layers.${i}.block_sparse_moe.experts.0.w1.qweight`, [2, 8], 'I32')),
    )
    const { explained, packed: names, parts } = compareCheckpoint(mixtral, packed)
    expect(explained).toBe(false)
    expect(names).toEqual(range(0, 2).map((i) => `model.layers.${i}.block_sparse_moe.experts.0.w1.qweight`))
    expect(parts.buffers).toBeUndefined()
  })
})

describe('names of tensors, by the layers of a model', () => {
  test.each([
    ['granite-4.0-h-small', 'model.layers.0.mamba.norm.weight', 'mamba'],
    ['granite-4.0-h-small', 'model.layers.0.block_sparse_moe.input_linear.weight', 'routedExperts'],
    ['granite-4.0-h-small', 'model.layers.0.block_sparse_moe.router.layer.weight', 'router'],
    ['granite-4.0-h-small', 'model.layers.0.shared_mlp.input_linear.weight', 'sharedExperts'],
    ['qwen3.5-35b-a3b', 'model.language_model.layers.0.linear_attn.norm.weight', 'linearAttention'],
    ['qwen3.5-35b-a3b', 'model.language_model.layers.3.self_attn.q_norm.weight', 'attention'],
    ['qwen3.5-35b-a3b', 'model.language_model.layers.0.mlp.shared_expert_gate.weight', 'sharedExperts'],
    ['qwen3.5-35b-a3b', 'model.visual.blocks.0.norm1.weight', 'otherModalities'],
    ['qwen3-30b-a3b', 'model.layers.0.self_attn.q_norm.weight', 'norms'],
    ['deepseek-v3.2', 'model.layers.0.self_attn.indexer.k_norm.weight', 'indexer'],
    ['deepseek-v4-flash', 'layers.0.attn.compressor.norm.weight', 'compressor'],
    ['deepseek-v4-flash', 'layers.0.hc_attn_scale', 'hyperConnections'],
    ['deepseek-v4-flash', 'hc_head_base', 'hyperConnections'],
    ['deepseek-v4-flash', 'layers.0.ffn.gate.tid2eid', 'buffers'],
    ['deepseek-v4-flash', 'layers.4.ffn.gate.bias', 'routerBias'],
    ['deepseek-v4-flash', 'head.weight', 'lmHead'],
    ['deepseek-v4-flash', 'layers.0.attn.wq_a.scale', 'scales'],
    ['kimi-k3', 'model.layers.0.attn_res_norm.weight', 'attnRes'],
    ['kimi-k3', 'model.attn_res_proj.weight', 'attnRes'],
    ['jetmoe-8b', 'model.layers.0.self_attention.experts.input_linear.weight', 'attentionExperts'],
    ['jetmoe-8b', 'model.layers.0.self_attention.experts.router.layer.weight', 'attentionOther'],
    ['jetmoe-8b', 'model.layers.0.self_attention.kv_proj.weight', 'attention'],
    ['jetmoe-8b', 'model.layers.0.mlp.bias', 'norms'],
    ['jetmoe-8b', 'model.layers.0.mlp.output_linear.weight', 'routedExperts'],
    ['step-3', 'model.layers.4.moe.up_proj.weight', 'routedExperts'],
    ['step-3', 'model.layers.4.moe.gate.weight', 'router'],
    ['step-3', 'model.layers.4.share_expert.up_proj.weight', 'sharedExperts'],
    ['dbrx', 'transformer.blocks.0.norm_attn_norm.attn.Wqkv.weight', 'attention'],
    ['dbrx', 'transformer.blocks.0.norm_attn_norm.norm_1.weight', 'norms'],
    ['dbrx', 'transformer.wte.weight', 'embedding'],
    ['arctic', 'model.layers.1.residual_mlp.w1.weight', 'denseMlp'],
    ['longcat-flash', 'model.layers.0.mlps.0.up_proj.weight', 'denseMlp'],
    ['longcat-flash', 'model.layers.0.mlp.router.classifier.weight', 'router'],
    ['hunyuan-large', 'model.layers.0.mlp.gate.wg.weight', 'router'],
    ['nemotron-3-super-120b-a12b', 'backbone.layers.1.mixer.fc1_latent_proj.weight', 'latentProj'],
    ['nemotron-3-super-120b-a12b', 'backbone.norm_f.weight', 'norms'],
    // as llama.cpp names them
    ['nemotron-3-nano-30b-a3b', 'blk.1.ffn_up_exps.weight', 'routedExperts'],
    ['nemotron-3-nano-30b-a3b', 'blk.1.ffn_up_shexp.weight', 'sharedExperts'],
    ['nemotron-3-nano-30b-a3b', 'blk.1.ffn_gate_inp.weight', 'router'],
    ['nemotron-3-nano-30b-a3b', 'blk.1.exp_probs_b.bias', 'routerBias'],
    ['nemotron-3-nano-30b-a3b', 'blk.0.ssm_norm.weight', 'mamba'],
    ['nemotron-3-nano-30b-a3b', 'blk.0.attn_norm.weight', 'norms'],
    ['nemotron-3-nano-30b-a3b', 'output_norm.weight', 'norms'],
    ['nemotron-3-nano-30b-a3b', 'output.weight', 'lmHead'],
    ['nemotron-3-nano-30b-a3b', 'token_embd.weight', 'embedding'],
    ['deepseek-v3', 'blk.61.nextn.shared_head_head.weight', 'mtpCopies'],
    ['deepseek-v3', 'blk.0.ffn_up.weight', 'denseMlp'],
    ['gpt-oss-20b', 'blk.0.ffn_gate_inp.bias', 'router'],
    ['gpt-oss-20b', 'blk.0.attn_sinks.weight', 'attention'],
    ['tiny', 'something.else', 'unknown'],
  ])('%s, %s: %s', (preset, name, part) => expect(tensorPart(name, presets[preset]!)).toBe(part))
})

test('a name that stands twice is refused', () => {
  expect(() => countCheckpoint(mixtral, [...own, own[1]!])).toThrow(
    'countCheckpoint: a tensor must stand in one file, once, got "lm_head.weight". Name every file once.',
  )
})

test('the part of a long name is told at once', () => {
  expect(tensorPart(`${'layers.1.'.repeat(1e5)}\n`, mixtral)).toBe('unknown')
})

test('shapes that are none are refused, however large', () => {
  const count = (shape: readonly number[]) => () => countCheckpoint(mixtral, [entry('lm_head.weight', shape)])
  for (const shape of [[-1], [1.5], [Number.NaN]]) expect(count(shape)).toThrow(InputError)
  expect(count([2 ** 40, 2 ** 40])).toThrow('countCheckpoint: its numbers must be a whole number')
})
