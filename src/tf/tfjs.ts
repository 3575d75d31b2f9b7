import type * as tfjs from '@tensorflow/tfjs'

/** tfjs as an object: the one that is installed, or the caller's own. */
export type Tf = typeof tfjs

/** The installed tfjs. Throws an Error that says what to install where there is none. */
async function load(): Promise<Tf> {
  try {
    return await import('@tensorflow/tfjs')
  } catch (cause) {
    const sentence = 'moesim/tf needs @tensorflow/tfjs, which is not installed: npm install @tensorflow/tfjs'
    throw isMissing(cause) ? new Error(sentence, { cause }) : cause
  }
}

const isMissing = (cause: unknown): boolean =>
  cause instanceof Error && 'code' in cause && cause.code === 'ERR_MODULE_NOT_FOUND'

export const installed: Tf = await load()
