/// <reference types="vite/client" />
import * as tf from '@tensorflow/tfjs'
import { setWasmPaths } from '@tensorflow/tfjs-backend-wasm'
import wasm from '@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm.wasm?url'
import simd from '@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-simd.wasm?url'
import threads from '@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-threaded-simd.wasm?url'
import '@tensorflow/tfjs-backend-webgpu'
import { MoELayer } from 'moesim/tf'
import { type Answers, answers, type Question } from '../tf/answers.js'

setWasmPaths({
  'tfjs-backend-wasm.wasm': wasm,
  'tfjs-backend-wasm-simd.wasm': simd,
  'tfjs-backend-wasm-threaded-simd.wasm': threads,
})

type Flags = Record<string, boolean>

/** Sets a backend of the page, with flags of tfjs that are set before it starts. */
async function on(backend: string, flags: Flags): Promise<void> {
  for (const [flag, value] of Object.entries(flags)) tf.env().set(flag, value)
  if (!(await tf.setBackend(backend))) throw new Error(`tfjs has no ${backend} backend in this page`)
}

/** Forward and backward. */
async function answerOn(backend: string, question: Question, flags: Flags): Promise<Answers> {
  await on(backend, flags)
  return answers(tf, question)
}

/** The router alone, twice. */
async function routeOn(
  backend: string,
  { config, weights, hidden }: Question,
  flags: Flags,
): Promise<Pick<Answers, 'logits' | 'experts'>> {
  await on(backend, flags)
  const layer = new MoELayer(config)
  layer.setWeights(weights)
  const x = tf.tensor2d(hidden, [hidden.length / config.hiddenSize, config.hiddenSize])
  const [{ logits, routing }] = [layer.apply(x), layer.apply(x)]
  return { logits: logits.dataSync() as Float32Array, experts: routing.experts }
}

const asked = { answerOn, routeOn }
export type Asked = typeof asked
Object.assign(globalThis, asked)
