// What linear maps and experts need, built by `npm run kernels` into ../matrix-wasm.ts.
export { activate, combine, gather } from './experts'
export { linear, pack } from './linear'
export { pair, sparse, triple } from './sparse'

/** Where the memory begins that its constants leave free: for a test that compares it with where areas start. */
export const heapBase: usize = __heap_base
