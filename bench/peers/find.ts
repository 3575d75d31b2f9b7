/** Which peers are here, and for the others the command that brings them. */
import { loadOnnx, type Onnx } from './onnx.js'
import { type Python, startPython } from './python.js'
import { tfjsVersion } from './tfjs.js'

export interface Peers {
  readonly onnx: readonly (readonly [name: string, Onnx])[]
  readonly python: Python | undefined
  /** Every peer with its version, in a line. */
  readonly versions: string
  /** What is missing, a sentence each. */
  readonly missing: readonly string[]
}

export async function findPeers(): Promise<Peers> {
  const python = await startPython()
  const versions = [`tfjs ${tfjsVersion}`]
  const missing: string[] = []
  const onnx: [string, Onnx][] = []
  for (const name of ['onnxruntime-node', 'onnxruntime-web'] as const) {
    const runtime = await loadOnnx(name)
    if (runtime === undefined) {
      missing.push(`${name} is missing: npm run bench:peers`)
    } else {
      versions.push(`${name} ${runtime.version}`)
      onnx.push([name, runtime])
    }
  }
  const remedy = 'apt-get install python3-torch python3-numpy libopenblas0, or PYTHON=… for another python3'
  if (python === undefined) {
    missing.push(`PyTorch and NumPy are missing: ${remedy}`)
  } else {
    const { numpy, torch, blas, eplb } = python.versions
    if (torch === undefined) missing.push(`PyTorch is missing: ${remedy}`)
    else versions.push(`PyTorch ${torch}`)
    versions.push(`NumPy ${numpy}`, `BLAS of both ${blas}`)
    if (!eplb)
      missing.push(
        'The EPLB reference is missing: PYTHONPATH=folder of eplb.py, from github.com/deepseek-ai/EPLB',
      )
    if (/^lib(c?blas)\.so/.test(blas)) {
      missing.push('PyTorch and NumPy multiply by the slow reference BLAS: apt-get install libopenblas0')
    }
  }
  return { onnx, python, versions: versions.join(', '), missing }
}
