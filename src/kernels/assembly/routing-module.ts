// What routing needs, built by `npm run kernels` into ../routing-wasm.ts.
export { normals, seek } from './random'
export { cut, plan, scratchBytes } from './route/plan'
export { route } from './route/route'
export { scores } from './scores'
