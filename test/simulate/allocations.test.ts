import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { nemotron3Nano, routerOf } from 'moesim'
import { expect, test } from 'vitest'

/**
 * Bytes that a step allocates, in a process that collects no garbage meanwhile: on the heap, and of typed arrays' memory
 * beside it: the median of five times four steps, of which V8 compiles some, for tens of kilobytes.
 */
function bytesOfStep(source: string, tokensPerStep: number): number {
  const code = `
    import { biasBalance, gaussian, hiddenGaussian, linearRouter, simulate } from 'moesim'
    const config = ${JSON.stringify(routerOf(nemotron3Nano))}
    const weight = Float32Array.from({ length: 128 * 64 }, (_, i) => ((i * 7919) % 1000) / 4000 - 0.125)
    const source = ${source}
    const shared = { numExperts: 128, balance: biasBalance({ rate: 1e-3 }), tokensPerStep: ${tokensPerStep} }
    const run = simulate({ ...shared, ...source })
    const go = (steps) => { for (let i = 0; i < steps; i++) run.next() }
    const used = () => { const { heapUsed, arrayBuffers } = process.memoryUsage(); return heapUsed + arrayBuffers }
    go(20)
    const each = [1, 2, 3, 4, 5].map(() => { gc(); const before = used(); go(4); return (used() - before) / 4 })
    console.log(each.sort((a, b) => a - b)[2])`
  const flags = ['--expose-gc', '--min-semi-space-size=64', '--max-semi-space-size=64']
  const cwd = fileURLToPath(new URL('../..', import.meta.url))
  const args = [...flags, '--input-type=module', '-e', code]
  return Number(execFileSync(process.execPath, args, { cwd, encoding: 'utf8' }))
}

test.each([
  ['logits', '{ router: config, workload: gaussian({ numExperts: 128, skew: 0.3 }) }'],
  ['hidden states', '{ router: linearRouter(config, weight), workload: hiddenGaussian({ hiddenSize: 64 }) }'],
])(
  'a step of %s in the kernel keeps no token: it allocates less than 16 bytes for each, where a logit is 4',
  (_, source) => {
    const more = bytesOfStep(source, 16_384) - bytesOfStep(source, 256) // by the protocol it is 970 a token of logits
    expect(more / (16_384 - 256)).toBeLessThan(16)
  },
)
