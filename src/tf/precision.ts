import type { Tf } from './tfjs.js'

const warned = new WeakSet<Tf>()

/** Warns, once, on stderr or the console, where WebGL renders 16-bit floats only: near ties then choose other experts. */
export function warnOfHalfFloats(tf: Tf): void {
  if (warned.has(tf) || tf.getBackend() !== 'webgl' || tf.env().getBool('WEBGL_RENDER_FLOAT32_ENABLED'))
    return
  warned.add(tf)
  console.warn(
    'moesim/tf: WebGL renders 16-bit floats only on this device, or by the flag WEBGL_FORCE_F16_TEXTURES, so that logits are rounded and tokens near a tie choose other experts. For the same choice as everywhere, leave the flag out, or use the wasm backend: install and import @tensorflow/tfjs-backend-wasm, then await tf.setBackend("wasm").',
  )
}
