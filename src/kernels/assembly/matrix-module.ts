// What linear maps and experts need, built by `npm run kernels` into ../matrix-wasm.ts.
export { activate, combine, gather } from './experts'
export { linear, pack } from './linear'
export { pair, sparse, triple } from './sparse'
