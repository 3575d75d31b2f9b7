import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import {
  agreement,
  float32Of,
  float32Tensor,
  forwardLayer,
  layerOf,
  layerTensors,
  readLayerWeights,
  readSafetensors,
  readTrace,
  routeLayer,
  tensor,
  tinyNemotronH,
  weightLayouts,
  writeSafetensors,
} from 'moesim'
import { describe, expect, test } from 'vitest'
import { expectClose } from '../golden.js'
import { anyWeights, configs } from './any-layer.js'

const read = (file: string) =>
  readFileSync(new URL(`../../examples/data/${file}.safetensors`, import.meta.url))
const model = readSafetensors(read('model'))
const recorded = readSafetensors(
  readFileSync(new URL('../fixtures/golden/layer-trained.safetensors', import.meta.url)),
)
const trace = readTrace(read('trace'))
const config = layerOf(tinyNemotronH)

describe('the trained model', () => {
  test.each(trace.layers.map((layer, i) => [layer.index, i] as const))(
    'layer %d routes the recorded inputs to the recorded experts, with their weights',
    (index, i) => {
      const layer = trace.layers[i]
      const weights = readLayerWeights(model, config, { prefix: `backbone.layers.${index}.mixer.` })
      expect(weights.router).toEqual(layer.weight)
      expect(weights.correctionBias).toEqual(layer.bias)
      const routing = routeLayer(layer.hidden, weights, config)
      const theirs = { ...routing, experts: layer.experts, weights: layer.weights }
      expect(agreement(routing, theirs).differingTokens).toBe(0)
      expectClose(dense(routing), dense(theirs), { abs: 1e-6 }, 'weights')
    },
  )

  test.each([1, 4, 6])('layer %d adds to the residual stream what Hugging Face recorded', (index) => {
    const stream = (at: number) => float32Of(tensor(recorded, `hidden.${at}`))
    const [before, after] = [stream(index), stream(index + 1)]
    const norm = float32Of(tensor(model, `backbone.layers.${index}.norm.weight`))
    const hidden = rmsNorm(before, norm)
    const weights = readLayerWeights(model, config, { prefix: `backbone.layers.${index}.mixer.` })
    const output = forwardLayer(hidden, routeLayer(hidden, weights, config), weights, config)
    const added = after.map((value, i) => value - before[i])
    expectClose(output, added, { abs: 2e-5 }, 'output') // of values up to 63
  })
})

/** Rows over their root mean square, times the weight, as the block does before its mixer. */
function rmsNorm(rows: Float32Array, weight: Float32Array): Float32Array {
  const normed = new Float32Array(rows.length)
  for (let at = 0; at < rows.length; at += 128) {
    const square = rows.subarray(at, at + 128).reduce((sum, value) => sum + value * value, 0) / 128
    for (let d = 0; d < 128; d++)
      normed[at + d] = weight[d] * Math.fround(rows[at + d] / Math.sqrt(square + 1e-5))
  }
  return normed
}

function dense(routing: { experts: Int32Array; weights: Float32Array }): Float32Array {
  const weights = new Float32Array((routing.experts.length / 6) * 128)
  routing.experts.forEach((expert, slot) => {
    weights[Math.floor(slot / 6) * 128 + expert] = routing.weights[slot]
  })
  return weights
}

describe('Hugging Face names', () => {
  const names = (tensors: ReadonlyMap<string, { shape: readonly number[] }>) =>
    [...tensors].map(([name, { shape }]) => `${name} [${shape}]`)
  const router = {
    numExperts: 2,
    topK: 1,
    scoreFunction: 'softmax',
    normalize: false,
    scale: 1,
  } as const
  const gated = { hiddenSize: 3, expertWidth: 5, router, activation: 'silu', gated: true } as const

  test('written and read back, weights are the same to the last bit, in every layout', () => {
    fc.assert(
      fc.property(
        configs,
        fc.constantFrom(...Object.values(weightLayouts)),
        fc.boolean(),
        (layer, own, one) => {
          const layout = one ? { ...own, experts: 'fused' as const } : own
          const weights = anyWeights(layer)
          const options = { prefix: 'model.layers.0.mlp.', layout }
          const file = readSafetensors(writeSafetensors(layerTensors(weights, layer, options)))
          expect(readLayerWeights(file, layer, options)).toEqual(weights)
        },
      ),
    )
  })

  test.each([
    [
      'per expert',
      { ...gated, sharedWidth: 4, sharedGate: true },
      weightLayouts.qwen2Moe,
      [
        'gate.weight [2,3]',
        ...[0, 1].flatMap((e) => [
          `experts.${e}.gate_proj.weight [5,3]`,
          `experts.${e}.up_proj.weight [5,3]`,
          `experts.${e}.down_proj.weight [3,5]`,
        ]),
        'shared_expert.gate_proj.weight [4,3]',
        'shared_expert.up_proj.weight [4,3]',
        'shared_expert.down_proj.weight [3,4]',
        'shared_expert_gate.weight [1,3]',
      ],
    ],
    [
      'w1 is the gate, w3 the up and w2 the down projection of Mixtral',
      gated,
      weightLayouts.mixtral,
      [
        'gate.weight [2,3]',
        ...[0, 1].flatMap((e) => [
          `experts.${e}.w1.weight [5,3]`,
          `experts.${e}.w3.weight [5,3]`,
          `experts.${e}.w2.weight [3,5]`,
        ]),
      ],
    ],
    [
      'fused',
      { ...gated, activation: 'relu2', gated: false, correctionBias: true, latentWidth: 2 } as const,
      { ...weightLayouts.nemotronH, experts: 'fused' } as const,
      [
        'gate.weight [2,3]',
        'gate.e_score_correction_bias [2]',
        'experts.up_proj [2,5,2]',
        'experts.down_proj [2,2,5]',
        'fc1_latent_proj.weight [2,3]',
        'fc2_latent_proj.weight [3,2]',
      ],
    ],
    [
      'interleaved',
      { ...gated, activation: 'swigluoai', routerBias: true, expertBiases: true } as const,
      weightLayouts.gptOss,
      [
        'router.weight [2,3]',
        'router.bias [2]',
        'experts.gate_up_proj [2,3,10]',
        'experts.gate_up_proj_bias [2,10]',
        'experts.down_proj [2,5,3]',
        'experts.down_proj_bias [2,3]',
      ],
    ],
  ])('%s', (_, layer, layout, wanted) => {
    expect(names(layerTensors(anyWeights(layer), layer, { layout }))).toEqual(wanted)
  })

  test('a tensor that is missing, misshapen or of no weight is refused', () => {
    const tensors = layerTensors(anyWeights(gated), gated, { prefix: 'mlp.' })
    const file = (change: (map: typeof tensors) => void) => {
      const changed = new Map(tensors)
      change(changed)
      return { metadata: {}, tensors: changed }
    }
    const from = (change: (map: typeof tensors) => void) => () =>
      readLayerWeights(file(change), gated, { prefix: 'mlp.' })
    expect(from((map) => map.delete('mlp.gate.weight'))).toThrow(/must have the tensor asked for/)
    const turned = float32Tensor(new Float32Array(6), [3, 2])
    expect(from((map) => map.set('mlp.gate.weight', turned))).toThrow(
      '\'mlp.gate.weight\' must be [2,3], got "[3,2]"',
    )
    expect(from((map) => map.set('mlp.gate.bias', turned))).toThrow(
      /every tensor under 'mlp.' must be a weight of the layer, got "mlp.gate.bias"/,
    )
    expect(from((map) => map.set('attention', turned))).not.toThrow()
  })
})
