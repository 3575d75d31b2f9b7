// AssemblyScript: what the SIMD kernels export. Built by `npm run kernels` into ../wasm.ts.
export { activate, combine, gather } from './experts'
export { linear, pack } from './linear'
export { normals, seek } from './random'
export { cut, plan, route, scratchBytes } from './route'
export { scores } from './scores'

/** Where memory begins that constants leave free. */
export const heapBase: usize = __heap_base
