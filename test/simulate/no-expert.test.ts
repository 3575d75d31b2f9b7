import {
  asRouter,
  type Balance,
  biasBalance,
  bipBalance,
  chanceOf,
  gaussian,
  histogramQuantileBalance,
  noBalance,
  quantileBalance,
  type RouterConfig,
  reluRouter,
  simulate,
  type Workload,
} from 'moesim'
import { describe, expect, test } from 'vitest'

const router: RouterConfig = { numExperts: 16, topK: 2, scoreFunction: 'sigmoid', normalize: true, scale: 1 }

describe('tokens that have no expert', () => {
  const draw = gaussian({ numExperts: 16 })

  test('as padding, do not count in the floor, nor as unrouted: it is that of the batch without them', () => {
    const [plain] = simulate({ router, balance: noBalance, workload: draw, tokensPerStep: 64, steps: 1 })
    const workload: Workload = (context) => {
      const logits = new Float32Array(256 * 16).fill(Number.NEGATIVE_INFINITY)
      logits.set(draw({ ...context, tokens: 64 }).logits!, 64 * 16)
      return { tokens: 256, logits }
    }
    const [padded] = simulate({ router, balance: noBalance, workload, tokensPerStep: 256, steps: 1 })
    expect(padded.load).toEqual(plain.load)
    expect(padded.chance).toEqual(plain.chance)
    expect([padded.tokens, padded.unroutedTokens, padded.dropped]).toEqual([256, 0, 0])
  })

  test('for no logit of theirs is above 0, are unrouted though nothing was dropped', () => {
    const logits = Float32Array.of(1, -1, -1, -1, 2, 3)
    const workload: Workload = () => ({ tokens: 3, logits })
    const relu = reluRouter({ numExperts: 2 })
    const [report] = simulate({ router: relu, balance: noBalance, workload, tokensPerStep: 3, steps: 1 })
    expect([report.unroutedTokens, report.dropped]).toEqual([1, 0])
    expect(report.chance).toEqual(chanceOf({ tokens: 2, numExperts: 2, topK: 1.5 }))
  })

  test('are all there are of a batch of none, which moves no bias and is reported as zeros', () => {
    for (const balance of [
      biasBalance({ rate: 1e-2 }),
      quantileBalance(),
      histogramQuantileBalance(),
      bipBalance(),
    ] as Balance<never>[]) {
      const workload: Workload = (context) => draw({ ...context, tokens: context.step % 2 === 0 ? 64 : 0 })
      const reports = [...simulate({ router, balance, workload, tokensPerStep: 64, steps: 4, layers: 2 })]
      expect(reports[1]).toMatchObject({ tokens: 0, maxViolation: 0, expectedMaxViolation: 0, dropped: 0 })
      expect([...reports[1].load]).toEqual(new Array(32).fill(0))
      expect(reports[2].bias).toEqual(reports[1].bias)
      expect(reports[3].bias).not.toEqual(reports[2].bias)
    }
  })

  test('cannot tell how many experts there are', () => {
    const workload: Workload = () => ({ tokens: 0, logits: new Float32Array(0) })
    const setup = { router: asRouter(router), balance: noBalance, workload, tokensPerStep: 1, steps: 1 }
    expect(() => [...simulate(setup)]).toThrow('simulate: numExperts must be a whole number from 1')
    const [report] = simulate({ ...setup, numExperts: 16 })
    expect(report.balance).toEqual(report.chance)
  })
})
