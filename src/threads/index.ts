// moesim/threads: the same routing by several threads, of Node or of a page.
export { openThreads, type Threads, type ThreadsOptions } from './open.js'
export { sharedFloats } from './shared-floats.js'
