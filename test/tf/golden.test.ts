import { describe, test } from 'vitest'
import { layerCase, layerCases } from '../layer/cases.js'
import { answers } from './answers.js'
import { backends, on, tf } from './backends.js'
import { expectRecorded, questionOf } from './matches.js'

// What moesim/tf does where tensors live on a GPU, on kernels of the host. A browser of its own runs test/browser.
const gpu = { ...tf, getBackend: () => 'gpu' }

describe.each(backends)('on the %s backend', (backend) => {
  test.each(layerCases)('%s: forward and backward are the recorded ones', async (name) => {
    const file = layerCase(name)
    expectRecorded(file, await on(backend, () => answers(tf, questionOf(file))))
  })

  test.each(layerCases)('%s: the same in blocks, as on a GPU', async (name) => {
    const file = layerCase(name)
    expectRecorded(file, await on(backend, () => answers(gpu, questionOf(file))))
  })
})
