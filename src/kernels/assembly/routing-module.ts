// What routing needs, built by `npm run kernels` into ../routing-wasm.ts.
export { normals, seek } from './random'
export { cut, plan, route, scratchBytes } from './route'
export { scores } from './scores'

/** Where the memory begins that its constants leave free: for a test that compares it with where areas start. */
export const heapBase: usize = __heap_base
