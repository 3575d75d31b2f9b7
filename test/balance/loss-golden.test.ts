import { auxLoss, globalAuxLoss, type Loss, pooledAuxLoss, sequenceAuxLoss, zLoss } from 'moesim'
import { describe, expect, test } from 'vitest'
import { expectClose, type Golden, golden } from '../golden.js'

type Params = Golden['params'] & {
  scoreFunction: 'softmax' | 'sigmoid' | 'sqrtsoftplus'
  coefficient: number
}

/** What of the recorded settings is an option of a loss. */
function params(recorded: Golden): Params {
  const { numExperts, topK, scoreFunction, coefficient } = recorded.params as Params
  return { numExperts, topK, scoreFunction, coefficient }
}

/** A scalar, or a plain list of them, of the file at its stated tolerance. */
function expectFigures({ expected, tolerance }: Golden, field: string, actual: ArrayLike<number>): void {
  const wanted = [expected[field]].flat() as unknown as number[]
  expectClose(actual, wanted, tolerance[field], field)
}

const gradientOf = ({ gradient }: Loss<Float32Array>): Float32Array => gradient

describe('losses as Megatron-LM computes them', () => {
  test.each(['softmax', 'sigmoid', 'sqrtsoftplus'])('one micro-batch, %s', (score) => {
    const recorded = golden(`loss-aux-microbatch-${score}`)
    const loss = auxLoss(recorded.floats(recorded.inputs.logits), params(recorded))
    expectFigures(recorded, 'loss', [loss.value])
    recorded.matches('tokensPerExpert', loss.load)
    recorded.matches('meanProbability', loss.meanProbability)
    recorded.matches('gradLogits', loss.gradient)
  })

  test('one padded micro-batch, and its z-loss', () => {
    const recorded = golden('loss-aux-microbatch-sigmoid-padded')
    const padding = recorded.ints(recorded.inputs.paddingMask)
    const options = { ...params(recorded), valid: padding.map((mark) => 1 - mark) }
    const logits = recorded.floats(recorded.inputs.logits)
    const loss = auxLoss(logits, options)
    expect(loss.load.reduce((sum, count) => sum + count)).toBe(2 * Number(recorded.expected.validTokens))
    expectFigures(recorded, 'loss', [loss.value])
    recorded.matches('tokensPerExpert', loss.load)
    recorded.matches('gradLogits', loss.gradient)
    const z = zLoss(logits, options)
    expectFigures(recorded, 'zLoss', [z.value])
    recorded.matches('zLossGradLogits', z.gradient)
  })

  test.each(['softmax', 'sigmoid'])('the mean over sequences, %s', (score) => {
    const recorded = golden(`loss-aux-sequence-${score}`)
    const { batchSize } = recorded.params as unknown as { batchSize: number }
    const logits = recorded.floats(recorded.inputs.logits)
    const tokens = logits.length / recorded.params.numExperts
    const sequences = Int32Array.from({ length: tokens }, (_, token) => token % batchSize)
    const loss = sequenceAuxLoss(logits, { ...params(recorded), sequences })
    expectFigures(recorded, 'loss', [loss.value])
    expectFigures(recorded, 'perSequenceLoss', loss.values)
    recorded.matches('tokensPerExpert', loss.load)
    recorded.matches('gradLogits', loss.gradient)
  })

  test.each(['softmax', 'sigmoid'])('the global batch over micro-batches, %s', (score) => {
    const recorded = golden(`loss-aux-globalbatch-${score}`)
    const microBatches = layersOf(recorded)
    let before: Float64Array | undefined
    const losses = microBatches.map((logits) => {
      const loss = globalAuxLoss(logits, params(recorded), before)
      before = loss.total
      return loss
    })
    expectFigures(
      recorded,
      'losses',
      losses.map(({ value }) => value),
    )
    recorded.matches(
      'tokensPerExpertOwn',
      losses.flatMap(({ load }) => [...load]),
    )
    recorded.matches(
      'tokensPerExpertRunningMean',
      losses.flatMap(({ total }, m) => Array.from(total, (count) => count / (m + 1))),
    )
    recorded.matches(
      'gradLogits',
      losses.flatMap((loss) => [...gradientOf(loss)]),
    )
  })

  test('the z-loss', () => {
    const recorded = golden('loss-z')
    const loss = zLoss(recorded.floats(recorded.inputs.logits), params(recorded))
    expectFigures(recorded, 'loss', [loss.value])
    recorded.matches('logSumExp', loss.logSumExp)
    recorded.matches('gradLogits', loss.gradient)
  })
})

describe('the loss of Hugging Face, pooled over layers', () => {
  test.each(['1layer', '3layer', '2layer-masked'])('%s', (name) => {
    const recorded = golden(`loss-hf-load-balancing-${name}`)
    const { attentionMask } = recorded.inputs
    const valid = attentionMask ? { valid: recorded.ints(attentionMask) } : {}
    const loss = pooledAuxLoss(layersOf(recorded), { ...params(recorded), ...valid })
    expectFigures(recorded, 'loss', [loss.value])
    recorded.matches(
      'gradLogits',
      loss.gradients.flatMap((gradient) => [...gradient]),
    )
  })
})

/** The parts of logits whose leading axis is the layer or the micro-batch. */
function layersOf({ inputs, floats }: Golden): Float32Array[] {
  const all = floats(inputs.logits)
  const [parts] = inputs.logits.shape
  const size = all.length / parts
  return Array.from({ length: parts }, (_, part) => all.slice(part * size, (part + 1) * size))
}
