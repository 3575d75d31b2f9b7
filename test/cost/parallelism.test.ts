import {
  adamBytes,
  countParameters,
  expectedBytesPerToken,
  nemotron3Nano,
  nemotron3NanoLongContext,
  presets,
  stageMemory,
  stageTraffic,
  tinyNemotronH,
} from 'moesim'
import { describe, expect, test } from 'vitest'

const alone = { tensor: 1, context: 1, pipeline: 1, expert: 1, data: 1 }
const tied = { ...tinyNemotronH, tiedEmbeddings: true }

describe('a model spread over devices', () => {
  test.each([...Object.values(presets), tied])('on one device it is whole: $name', (model) => {
    const [{ denseParameters, expertParameters, parameterBytes }] = stageMemory(model, alone)
    const { total, parts } = countParameters(model)
    expect(denseParameters + expertParameters).toBe(total)
    expect(expertParameters).toBe(parts.routedExperts?.total ?? 0)
    expect(parameterBytes).toBe(18 * total)
  })

  test('stages sum to the model; a tied head on another stage is a copy', () => {
    const all = (model: typeof tied): number =>
      stageMemory(model, { ...alone, pipeline: 7 }).reduce(
        (sum, stage) => sum + stage.denseParameters + stage.expertParameters,
        0,
      )
    expect(all(tinyNemotronH)).toBe(countParameters(tinyNemotronH).total)
    expect(all(tied)).toBe(countParameters(tied).total + tied.vocabSize * tied.hiddenSize)
  })

  test("Nano's long-context layout: 4 stages of 13 layers, 16 experts of each layer on a rank", () => {
    const stages = stageMemory(nemotron3Nano, nemotron3NanoLongContext)
    expect(stages.map(({ expertParameters }) => expertParameters / 9977856 / 16)).toEqual([5, 6, 6, 6])
    const [, { denseParameters, expertParameters, parameterBytes }] = stages
    // Dense weights are repeated over 8 context ranks, experts over 8 of the 64 ranks of a stage.
    expect(parameterBytes).toBeCloseTo((denseParameters + expertParameters) * (6 + 12 / 8), 3)
    expect(Math.max(...stages.map((stage) => stage.parameterBytes)) / 1e9).toBeCloseTo(7.88, 2)
  })

  test('what a rank holds for inference is its weights alone', () => {
    const [{ denseParameters, expertParameters, parameterBytes }] = stageMemory(
      tinyNemotronH,
      { ...alone, tensor: 2, expert: 2 },
      { residentBytes: 2, shardedBytes: 0 },
    )
    expect(parameterBytes).toBe(2 * (denseParameters + expertParameters))
    expect(adamBytes).toEqual({ residentBytes: 6, shardedBytes: 12 })
  })

  test('one device sends nothing', () => {
    expect(stageTraffic(nemotron3Nano, alone, { tokens: 4096 })).toEqual([
      { tensorBytes: 0, contextBytes: 0, expertBytes: 0, pipelineBytes: 0 },
    ])
  })

  test('each way to spread sends its own bytes', () => {
    const tokens = 8192
    const one = (layout: object) => stageTraffic(nemotron3Nano, { ...alone, ...layout }, { tokens })[0]
    expect(one({ tensor: 8 }).tensorBytes).toBe(52 * 2 * tokens * 2688 * 2 * (7 / 8))
    expect(one({ context: 8 }).contextBytes).toBe(6 * 7 * (tokens / 8) * 2 * 2 * 128 * 2)
    expect(one({ context: 4, tensor: 4 }).contextBytes).toBe(6 * 3 * (tokens / 4) * 2 * 1 * 128 * 2)
    const bytes = expectedBytesPerToken({
      numExperts: 128,
      topK: 6,
      groups: 8,
      width: 2688,
      dispatch: 'bf16',
      combine: 'bf16',
    })
    expect(one({ data: 8, expert: 8 }).expertBytes).toBeCloseTo(23 * tokens * bytes, 3)
    expect(
      stageTraffic(nemotron3Nano, { ...alone, pipeline: 2 }, { tokens, format: 'fp8' }).map(
        (stage) => stage.pipelineBytes,
      ),
    ).toEqual([tokens * 2688, 0])
  })

  test('a layer without shared experts needs no tensor traffic; a latent width narrows what experts exchange', () => {
    const [moe] = tinyNemotronH.layers.E as [{ kind: 'moe' } & (typeof tinyNemotronH.layers.E)[0]]
    const with_ = (fields: object) =>
      ({ ...tinyNemotronH, pattern: 'E', layers: { E: [{ ...moe, ...fields }] } }) as typeof tinyNemotronH
    const layout = { ...alone, tensor: 4, expert: 4 }
    const plain = stageTraffic(with_({ sharedExperts: 0, sharedExpertWidth: 0 }), layout, { tokens: 64 })[0]
    expect(plain.tensorBytes).toBe(0)
    const { numGroups: _, topGroups: __, ...ungrouped } = moe.router
    expect(stageTraffic(with_({ router: ungrouped }), layout, { tokens: 64 })).toEqual(
      stageTraffic(with_({}), layout, { tokens: 64 }),
    )
    const latent = stageTraffic(with_({ latentWidth: 32 }), layout, { tokens: 64 })[0]
    expect(latent.expertBytes).toBeCloseTo(plain.expertBytes / 4, 6)
    expect(latent.tensorBytes).toBeGreaterThan(0)
  })

  test('is refused where layers, experts or ranks do not divide', () => {
    const refused = (layout: object) => expect(() => stageMemory(nemotron3Nano, { ...alone, ...layout }))
    refused({ pipeline: 3 }).toThrow('the layers must be a multiple of pipeline = 3')
    refused({ expert: 2 }).toThrow('tensor · context · data must be a multiple of expert = 2')
    refused({ data: 3, expert: 3 }).toThrow('the experts of a layer must be a multiple of expert = 3')
    refused({ tensor: 0 }).toThrow('tensor must be')
    expect(() => stageTraffic(nemotron3Nano, alone, { tokens: -1 })).toThrow('tokens must be')
  })
})
