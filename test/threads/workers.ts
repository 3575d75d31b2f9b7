import { Worker } from 'node:worker_threads'

const threads = process.getBuiltinModule('node:worker_threads')

/** What moesim/threads starts while `use` runs, and how many jobs each worker was sent; `start` may hand over something else. */
export async function watched<T>(
  use: (workers: { worker: Worker; jobs: number }[]) => Promise<T>,
  start: typeof Worker = Worker,
): Promise<T> {
  const workers: { worker: Worker; jobs: number }[] = []
  threads.Worker = class extends start {
    constructor(...given: ConstructorParameters<typeof Worker>) {
      super(...given)
      workers.push({ worker: this, jobs: 0 })
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
