import { readdirSync } from 'node:fs'
import { loadOf, type RouterConfig, route, routerLogits } from 'moesim'
import { describe, expect, test } from 'vitest'
import { type Golden, golden } from '../golden.js'

const names = readdirSync(new URL('../fixtures/golden/', import.meta.url))
  .filter((file) => file.startsWith('routing-') && file.endsWith('.json'))
  .map((file) => file.replace('.json', ''))

describe('routing as the reference implementations compute it', () => {
  test('covers every recorded case', () => expect(names).toHaveLength(25))

  test.each(names)('%s', (name) => {
    const recorded = golden(name)
    const { inputs } = recorded
    const logits = logitsOf(recorded)
    const bias = inputs.selectionBias && recorded.floats(inputs.selectionBias)
    const routing = route(logits, routerOf(recorded), bias)
    if (recorded.expected.logits) recorded.matches('logits', logits)
    recorded.matches('indices', routing.experts)
    recorded.matches('weights', routing.weights)
    recorded.matches('tokensPerExpert', loadOf(routing))
  })
})

function logitsOf({ inputs, floats, params }: Golden): Float32Array {
  if (inputs.logits) return floats(inputs.logits)
  const gateBias = inputs.routerBias && floats(inputs.routerBias)
  return routerLogits(floats(inputs.hidden), floats(inputs.routerWeight), params.numExperts, gateBias)
}

function routerOf({ params }: Golden): RouterConfig {
  const { numExperts, topK, normalizeOnlyIfTopKAbove1 } = params
  const groupScore = params.groupScore as { kind: 'max' | 'sumTopM'; m?: number } | null
  return {
    numExperts,
    topK,
    scoreFunction: params.scoreFunction as RouterConfig['scoreFunction'],
    ...(params.softmaxOrder ? { softmaxOrder: params.softmaxOrder as 'beforeTopK' | 'afterTopK' } : {}),
    normalize: Boolean(params.normalize) && !(normalizeOnlyIfTopKAbove1 && topK === 1),
    scale: params.scale as number,
    epsilon: params.epsilon as number,
    numGroups: params.numGroups as number,
    topGroups: params.topGroups as number,
    ...(groupScore ? { groupScoreTop: groupScore.m ?? 1 } : {}),
  }
}
