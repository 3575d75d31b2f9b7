/** What `compute` gives where WebAssembly is missing, so that the plain twins do the work. */
export function withoutWebAssembly<T>(compute: () => T): T {
  const kept = globalThis.WebAssembly
  Object.assign(globalThis, { WebAssembly: undefined })
  try {
    return compute()
  } finally {
    Object.assign(globalThis, { WebAssembly: kept })
  }
}
