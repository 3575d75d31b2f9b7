import * as tf from '@tensorflow/tfjs'
import '@tensorflow/tfjs-backend-wasm'

export const backends = ['cpu', 'wasm'] as const

/** Runs `body` on a backend; nothing that it made may be left but what it returns by value. */
export async function on<A>(backend: string, body: () => A): Promise<A> {
  await tf.setBackend(backend)
  await tf.ready()
  return body()
}

/** Tensors alive after `body`, less those before. */
export function leaked(body: () => void): number {
  const before = tf.memory().numTensors
  body()
  return tf.memory().numTensors - before
}

export { tf }
