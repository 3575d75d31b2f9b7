import type { Tf } from './tfjs.js'

const warned = new WeakSet<Tf>()

/** Warns, once, on stderr or the console, where WebGL renders 16-bit floats only: near ties then choose other experts. */
export function warnOfHalfFloats(tf: Tf): void {
  if (warned.has(tf) || tf.getBackend() !== 'webgl' || tf.env().getBool('WEBGL_RENDER_FLOAT32_ENABLED'))
    return
  warned.add(tf)
  console.warn(
    'moesim/tf: WebGL on this device renders 16-bit floats only, so that tokens near a tie may choose other experts. Use the wasm backend for the same choice as everywhere.',
  )
}
