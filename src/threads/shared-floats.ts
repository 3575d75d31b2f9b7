const hasShared = (): boolean => typeof SharedArrayBuffer !== 'undefined'

/**
 * Zeros in memory that all threads see: logits, hidden states and weights written here are not copied to the workers. Where
 * threads may not share memory, in a page without cross-origin isolation, an ordinary Float32Array.
 */
export function sharedFloats(length: number): Float32Array {
  return hasShared() ? new Float32Array(new SharedArrayBuffer(4 * length)) : new Float32Array(length)
}

export const isShared = ({ buffer }: Float32Array): boolean =>
  hasShared() && buffer instanceof SharedArrayBuffer
