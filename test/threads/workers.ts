import { Worker } from 'node:worker_threads'
import { vi } from 'vitest'

const threads = process.getBuiltinModule('node:worker_threads')

/** A worker, how many jobs it was sent, and how many of them it has done: what it leaves undone, the first thread does. */
export interface Watched {
  readonly worker: Worker
  jobs: number
  done: number
}

/** How many jobs each worker was sent while `act` ran. */
export async function jobsDuring(
  workers: readonly Watched[],
  act: () => Promise<unknown>,
): Promise<number[]> {
  const before = workers.map(({ jobs }) => jobs)
  await act()
  return workers.map(({ jobs }, i) => jobs - before[i]!)
}

/** What moesim/threads starts while `use` runs; `start` may hand over something else. */
export async function watched<T>(
  use: (workers: Watched[]) => Promise<T>,
  start: typeof Worker = Worker,
): Promise<T> {
  const workers: Watched[] = []
  threads.Worker = class extends start {
    constructor(...given: ConstructorParameters<typeof Worker>) {
      super(...given)
      const watched = { worker: this, jobs: 0, done: 0 }
      this.on('message', ({ made }) => {
        if (made !== undefined) watched.done++
      })
      workers.push(watched)
    }
    override postMessage(...message: Parameters<Worker['postMessage']>): void {
      for (const each of workers) if (each.worker === this) each.jobs++
      super.postMessage(...message)
    }
  }
  try {
    return await use(workers)
  } finally {
    threads.Worker = Worker
  }
}

export async function withoutSharedMemory(use: () => Promise<void>): Promise<void> {
  vi.stubGlobal('SharedArrayBuffer', undefined)
  try {
    await use()
  } finally {
    vi.unstubAllGlobals()
  }
}
