// What routing needs, built by `npm run kernels` into ../routing-wasm.ts.
export { normals, seek } from './random'
export { cut, plan, route, scratchBytes } from './route'
export { scores } from './scores'
