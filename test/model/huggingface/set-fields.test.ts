import { fromHuggingFaceConfig, publishedModels, setConfigFields } from 'moesim'
import { expect, test } from 'vitest'

const { config: qwen } = publishedModels['qwen3-30b-a3b']!
const topK = (config: object): number => {
  const sublayers = Object.values(fromHuggingFaceConfig(config).layers).flat()
  return sublayers.flatMap((layer) => (layer.kind === 'moe' ? [layer.router.topK] : []))[0]!
}

test('sets a field and leaves the given config alone', () => {
  const before = structuredClone(qwen)
  const changed = setConfigFields(qwen, { num_experts_per_tok: 4, vocab_size: 1000 })
  expect(changed).toEqual({ ...qwen, num_experts_per_tok: 4, vocab_size: 1000 })
  expect(qwen).toEqual(before)
})

test.each(['dbrx', 'hunyuan-large', 'jetmoe-8b', 'grok-1', 'deepseek-v3'])(
  'one name of a thing serves for all that a config may call it: %s',
  (preset) => {
    const changed = setConfigFields(publishedModels[preset]!.config, { num_experts_per_tok: 3 })
    expect(topK(changed)).toBe(3)
  },
)

test('of a config of text and images, sets that of the text', () => {
  const whole = { model_type: 'some_vl', text_config: qwen, vision_config: { hidden_size: 8 } }
  expect(setConfigFields(whole, { hidden_size: 64 })).toEqual({
    ...whole,
    text_config: { ...qwen, hidden_size: 64 },
  })
})

test('sets what a config could state and does not, also inside objects that are not there', () => {
  expect(setConfigFields({ n_shared_experts: null }, { n_shared_experts: 1 })).toEqual({
    n_shared_experts: 1,
  })
  expect(setConfigFields({}, { 'ffn_config.moe_top_k': 4 })).toEqual({ ffn_config: { moe_top_k: 4 } })
  expect(setConfigFields({ mine: null, rope_theta: 1 }, { mine: 2, rope_theta: 3 })).toEqual({
    mine: 2,
    rope_theta: 3,
  })
})

test.each(['num_expert', 'toString', '__proto__', '__proto__.a', 'x'.repeat(1e6)])(
  'a field that no config has is refused: %s',
  (name) => {
    expect(() => setConfigFields(qwen, Object.fromEntries([[name, 1]]))).toThrow(
      'setConfigFields: a field must be one of the config',
    )
  },
)

test('what is no config is refused', () => {
  expect(() => setConfigFields(null as never, {})).toThrow('setConfigFields: the config must be an object')
})
