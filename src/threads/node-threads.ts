/** node:worker_threads, or undefined in a page. Asked of the process, as an import of it would be a bundler's business. */
export const nodeThreads = (): typeof import('node:worker_threads') | undefined =>
  typeof process === 'undefined' ? undefined : process.getBuiltinModule?.('node:worker_threads')

/** How many threads the machine runs at a time. */
export function availableThreads(): number {
  if (nodeThreads()) return process.getBuiltinModule('node:os').availableParallelism()
  return navigator.hardwareConcurrency
}
