/**
 * What a second core is worth just now: two threads route at the same time, each batches of its own, and wait for each other
 * only at the end of a turn. No division of one batch among two threads can take less.
 */
import { Worker } from 'node:worker_threads'
import type { RouterConfig } from 'moesim'

export interface SecondCore {
  /** The other thread routes a batch while `work` is done here; back when both are through. */
  during(work: () => number): number
  close(): Promise<unknown>
}

/** Turns that were asked for, and that the other thread has done. */
const [asked, done] = [0, 1]

const code = `
  const { workerData: { moesim, router, tokens, batches, turns }, parentPort } = require('node:worker_threads')
  import(moesim).then(({ route, streams }) => {
    const all = Array.from({ length: batches }, (_, batch) => {
      const drawn = new Float64Array(tokens * router.numExperts)
      streams('bench')('second core', 0, batch).normals(drawn)
      return Float32Array.from(drawn)
    })
    parentPort.postMessage('ready')
    for (let turn = 0; ; Atomics.store(turns, ${done}, turn), Atomics.notify(turns, ${done})) {
      Atomics.wait(turns, ${asked}, turn)
      turn = Atomics.load(turns, ${asked})
      route(all[turn % batches], router)
    }
  })`

export async function openSecondCore(
  router: RouterConfig,
  tokens: number,
  batches: number,
): Promise<SecondCore> {
  const turns = new Int32Array(new SharedArrayBuffer(8))
  const workerData = { moesim: import.meta.resolve('moesim'), router, tokens, batches, turns }
  const worker = new Worker(code, { eval: true, execArgv: [], workerData })
  await new Promise((ready, failed) => worker.once('message', ready).once('error', failed))
  let turn = 0
  return {
    during(work) {
      Atomics.store(turns, asked, ++turn)
      Atomics.notify(turns, asked)
      const made = work()
      for (let last = 0; last !== turn; last = Atomics.load(turns, done)) Atomics.wait(turns, done, last)
      return made
    },
    close: () => worker.terminate(),
  }
}
