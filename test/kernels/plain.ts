import { vi } from 'vitest'

/** What `compute` gives where WebAssembly is missing, so that the plain twins do the work. */
export function withoutWebAssembly<T>(compute: () => T): T {
  vi.stubGlobal('WebAssembly', undefined)
  try {
    return compute()
  } finally {
    vi.unstubAllGlobals()
  }
}
