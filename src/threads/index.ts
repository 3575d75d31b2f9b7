// moesim/threads: the same routing, and the same layers, by several threads, of Node or of a page.
export { openThreads, type Threads, type ThreadsOptions } from './open.js'
export { sharedFloats } from './shared-floats.js'
export type { ThreadedLayer } from './threaded-layer.js'
