import { biasBalance, loadOf, maxViolation, type RouterConfig, route } from 'moesim'
import { describe, expect, test } from 'vitest'
import { type Golden, golden } from '../golden.js'

describe('bias dynamics as Megatron-LM and torchtitan compute them', () => {
  test.each([
    'bias-uncentred-fixed',
    'bias-uncentred-changing',
    'bias-centred-fixed',
    'bias-centred-changing',
  ])('%s: every load of 300 steps', (name) => {
    const recorded = golden(name)
    const { numExperts, topK, updateRate, centred, steps } = recorded.params as Golden['params'] & {
      updateRate: number
      centred: boolean
      steps: number
    }
    const router: RouterConfig = { numExperts, topK, scoreFunction: 'sigmoid', normalize: true, scale: 1 }
    const rule = biasBalance({ rate: updateRate, center: centred })
    const reported = recorded.expected.reportedSteps as unknown as number[]
    let state = rule.init(numExperts)
    const loads: number[] = []
    const reportedLoads: number[] = []
    const biases: number[] = []
    const violations: number[] = []
    for (let step = 1; step <= steps; step++) {
      const load = loadOf(route(logitsAt(recorded, step), router, rule.bias(state)))
      state = rule.update(state, load)
      loads.push(...load)
      if (!reported.includes(step)) continue
      reportedLoads.push(...load)
      biases.push(...rule.bias(state))
      violations.push(maxViolation(load))
    }
    recorded.matches('allLoads', loads)
    recorded.matches('loadsAt', reportedLoads)
    recorded.matches('biasAt', biases)
    recorded.matches('maxViolationAt', violations)
  })

  test('the formula for changing logits gives the recorded first rows', () => {
    const recorded = golden('bias-uncentred-changing')
    const rows = recorded.floats(recorded.inputs.logitsAtStep17FirstRows)
    expect(logitsAt(recorded, 17).subarray(0, rows.length)).toEqual(rows)
  })
})

/** Fixed logits, or integers hashed by (step, token, expert), exact in float32: the file's own formula. */
function logitsAt({ inputs, params, floats }: Golden, step: number): Float32Array {
  if (inputs.logits) return floats(inputs.logits)
  const formula = inputs.formula as unknown as {
    constants: Record<'a' | 'b' | 'd' | 'amp', number>
    prime: number
  }
  const { a, b, d, amp } = formula.constants
  const { numExperts } = params
  return Float32Array.from({ length: (params.tokens as number) * numExperts }, (_, i) => {
    const t = Math.floor(i / numExperts)
    const e = i % numExperts
    const x0 = t * numExperts + e + 1 + step * a
    const x1 = (x0 * x0 + 31 * x0 + 7 * t) % formula.prime
    const x2 = (x1 * x1 + 12345 + 101 * e) % formula.prime
    const x3 = (x2 * x2 + e) % formula.prime
    return x3 / 16384 - 2 + (((b * e) % 16) / 16) * amp + ((step * d + 5 * e) % 64) / 64 + e / 1048576
  })
}
