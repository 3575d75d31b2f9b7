/** onnxruntime-node and onnxruntime-web, one thread; installed beside this file by `npm run bench:peers`. */
import { routeModel } from './onnx-model.js'

/** What is used of their common API. */
interface OnnxRuntime {
  readonly env: { logLevel: string; wasm: { numThreads: number }; versions: { common: string } }
  readonly Tensor: new (type: 'float32', data: Float32Array, dims: readonly number[]) => object
  readonly InferenceSession: {
    create(model: Uint8Array, options: object): Promise<{ run(inputs: object): Promise<OnnxOutputs> }>
  }
}

interface OnnxOutputs {
  readonly experts: { readonly data: BigInt64Array }
  readonly weights: { readonly data: Float32Array }
}

export interface Onnx {
  readonly version: string
  /** A session that routes batches of one size: experts as int64 [N, K], weights [N, K]. */
  router(
    tokens: number,
    numExperts: number,
    topK: number,
    scale: number,
  ): Promise<(logits: Float32Array, bias: Float32Array) => Promise<OnnxOutputs>>
}

/** Undefined where the package is not installed. */
export async function loadOnnx(name: 'onnxruntime-node' | 'onnxruntime-web'): Promise<Onnx | undefined> {
  const loaded = await import(name).catch(() => undefined)
  if (loaded === undefined) return undefined
  const runtime = (loaded.default ?? loaded) as OnnxRuntime
  const { env, Tensor, InferenceSession } = runtime
  env.logLevel = 'error'
  env.wasm.numThreads = 1
  return {
    version: env.versions.common,
    async router(tokens, numExperts, topK, scale) {
      const model = routeModel(tokens, numExperts, topK, scale)
      const session = await InferenceSession.create(model, {
        executionProviders: [name === 'onnxruntime-node' ? 'cpu' : 'wasm'],
        executionMode: 'sequential',
        intraOpNumThreads: 1,
        interOpNumThreads: 1,
        graphOptimizationLevel: 'all',
      })
      return (logits, bias) =>
        session.run({
          logits: new Tensor('float32', logits, [tokens, numExperts]),
          bias: new Tensor('float32', bias, [numExperts]),
        })
    },
  }
}
