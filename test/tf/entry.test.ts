import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import * as moesimTf from 'moesim/tf'
import { expect, test } from 'vitest'

const root = fileURLToPath(new URL('../..', import.meta.url))

function node(code: string): string {
  const args = ['--input-type=module', '-e', code]
  return execFileSync(process.execPath, args, {
    cwd: root,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  })
}

test('moesim/tf has these names, and no other', () => {
  expect(Object.keys(moesimTf).sort()).toEqual(['MoELayer', 'adamW', 'moeLayer', 'tensorLoss'])
})

test('nothing is printed on stdout: tfjs greets on stderr', () => {
  const router = "{ numExperts: 2, topK: 1, scoreFunction: 'sigmoid', normalize: false, scale: 1 }"
  const printed = node(`
    import * as tf from '@tensorflow/tfjs'
    import { MoELayer } from 'moesim/tf'
    const config = { hiddenSize: 2, expertWidth: 2, router: ${router}, gated: false, activation: 'relu' }
    new MoELayer(config).apply(tf.ones([3, 2])).output.dataSync()`)
  expect(printed).toBe('')
})

test('without tfjs it says what to install, and any other failure as it is', () => {
  const fail = (how: string) => `
    import { register } from 'node:module'
    const hook = \`export async function resolve(name, context, next) {
      if (name === '@tensorflow/tfjs') ${how}
      return next(name, context)
    }\`
    register('data:text/javascript,' + encodeURIComponent(hook))
    await import('moesim/tf').catch((error) => console.log(error.message))`
  const missing = "throw Object.assign(new Error('Cannot find package'), { code: 'ERR_MODULE_NOT_FOUND' })"
  expect(node(fail(missing)).trim()).toBe(
    'moesim/tf needs @tensorflow/tfjs, which is not installed: npm install @tensorflow/tfjs',
  )
  expect(node(fail("throw new Error('broken')")).trim()).toBe('broken')
})
