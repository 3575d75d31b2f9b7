import { InputError } from 'moesim'
import { MoELayer, tensorLoss } from 'moesim/tf'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { expectClose } from '../golden.js'
import { leaked, on, tf } from './backends.js'

const router = { numExperts: 4, topK: 2, scoreFunction: 'sigmoid', normalize: true, scale: 1 } as const
const config = { hiddenSize: 3, expertWidth: 2, router, gated: false, activation: 'relu' } as const
/** A backend that is not known to hold its tensors in the memory of the host, and has not been asked yet. */
function standIn(): typeof tf {
  const backend = {} as ReturnType<typeof tf.backend>
  return { ...tf, getBackend: () => 'distant', backend: () => backend }
}

afterEach(() => vi.restoreAllMocks())

describe('a backend whose values do not come back at once is refused, with what to do', () => {
  const reads: [string, string, () => Float32Array, string][] = [
    [
      'cpu',
      'it refuses to read',
      () => {
        throw new Error('values come later')
      },
      'Error: values come later',
    ],
    ['wasm', 'it gives other values', () => new Float32Array(2048), '0'],
  ]
  test.each(reads)('%s: %s', async (backend, _, read, found) => {
    await on(backend, () => {
      const own = standIn()
      const layer = new MoELayer(config)
      const distant = new MoELayer(config, { tf: own })
      const x = tf.ones<tf.Rank.R2>([2, 3])
      vi.spyOn(tf.backend(), 'readSync').mockImplementation(read)
      const refused = (name: string, ask: () => unknown) => {
        const rule = `${name}: the distant backend must give values at once, by dataSync, as they are, got "${found}". Use wasm`
        expect(leaked(() => expect(ask).toThrow(rule))).toBe(0)
        expect(ask).toThrow(InputError)
      }
      refused('MoELayer', () => distant.apply(x))
      refused('tensorLoss', () => tensorLoss(() => ({ value: 0, gradient: new Float32Array(6) }), own)(x))
      vi.restoreAllMocks()
      // Refused is not for ever.
      const [mine, theirs] = [distant, layer].map((each) =>
        tf.tidy(() => [...each.apply(x).output.dataSync()]),
      )
      expectClose(mine, theirs, { abs: 1e-6 }, 'output')
      distant.dispose()
      layer.dispose()
      x.dispose()
    })
  })
})
