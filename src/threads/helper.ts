import { InputError } from '../index.js'
import type { Answer, Kind, Order, Task } from './kinds.js'
import { nodeThreads } from './node-threads.js'
import { isShared } from './shared-floats.js'

/** A thread that helps this one. */
export interface Helper {
  /**
   * Answers one task at a time, with nothing made if it dies over it or cannot be asked. Rows that are not shared are copied;
   * the memory in the task that is to go along, and not to be copied, is in `transfer`.
   */
  ask<K extends Kind>(
    kind: K,
    rows: Float32Array,
    task: Task<K>,
    transfer?: ArrayBuffer[],
  ): Promise<Answer<K>>
  isAlive(): boolean
  close(): Promise<void>
}

/** Those of the helpers, at most `most` of them, that still live. */
export const living = (helpers: readonly Helper[], most: number = helpers.length): Helper[] =>
  helpers.filter((helper) => helper.isAlive()).slice(0, Math.max(0, most))

/** The one interface over workers of Node and of a page. */
interface Channel {
  post(order: Order<Kind>, transfer: ArrayBuffer[]): void
  /** Whether the process waits for the worker. */
  hold(yes: boolean): void
  end(): unknown
}

type Hear = (message: Answer<never>) => void
type Die = (why: string) => void

function openChannel(hear: Hear, die: Die): Channel {
  const node = nodeThreads()
  if (node) return openInNode(node, hear, die)
  // Bundlers look for this very expression.
  const worker = new Worker(new URL('./worker.js', import.meta.url), { type: 'module' })
  worker.onmessage = ({ data }) => hear(data)
  worker.onmessageerror = () => die('a message that cannot be read')
  worker.onerror = ({ message }) => die(message || 'no reason')
  return {
    post: (order, transfer) => worker.postMessage(order, transfer),
    hold: () => {},
    end: () => worker.terminate(),
  }
}

function openInNode({ Worker }: typeof import('node:worker_threads'), hear: Hear, die: Die): Channel {
  const here = import.meta.url
  // Flags of this process, a loader for example, are of no use to a file of plain JavaScript.
  const worker = new Worker(new URL('./worker.js', here), { execArgv: [] })
  worker.on('message', hear)
  worker.on('messageerror', ({ message }) => die(message))
  worker.on('error', ({ message }) => die(message))
  worker.on('exit', (code) => die(`exit code ${code}`))
  return {
    post: (order, transfer) => worker.postMessage(order, transfer),
    hold: (yes) => (yes ? worker.ref() : worker.unref()),
    end: () => worker.terminate(),
  }
}

/** Starts a worker; resolves once it is ready. */
export function startHelper(): Promise<Helper> {
  return new Promise((resolve, reject) => {
    let alive = true
    let spare = new ArrayBuffer(0)
    let room = new ArrayBuffer(0)
    let shared: ArrayBufferLike | undefined // what the worker holds
    let settle: Hear = () => {
      channel.hold(false)
      resolve(helper)
    }
    const channel = openChannel(
      (message) => settle(message),
      (why) => {
        alive = false
        channel.end()
        const remedy =
          'Let the bundler see the file worker.js beside it, and the Content-Security-Policy allow it.'
        reject(new InputError('openThreads: a worker must start', why, remedy)) // once it is ready, this does nothing
        settle({})
      },
    )
    /** In memory that has been lent to the worker before, if there is enough. */
    const copied = (rows: Float32Array): Float32Array => {
      if (spare.byteLength < 4 * rows.length) spare = new ArrayBuffer(4 * rows.length)
      const copy = new Float32Array(spare, 0, rows.length)
      copy.set(rows)
      return copy
    }
    const helper: Helper = {
      ask(kind, rows, task, transfer = []) {
        return new Promise((answered) => {
          settle = (message) => {
            channel.hold(false)
            spare = message.memory ?? spare
            room = message.room ?? room
            answered(message)
          }
          const before = shared
          shared = undefined
          try {
            const { buffer, byteOffset, length } = isShared(rows) ? rows : copied(rows)
            const own = buffer instanceof ArrayBuffer ? [buffer] : []
            channel.hold(true)
            const memory = buffer !== before && { memory: buffer }
            channel.post({ kind, task, byteOffset, length, room, ...memory }, [...own, room, ...transfer])
            if (own.length === 0) shared = buffer
          } catch {
            settle({}) // no memory for a copy, or a task that cannot be sent
          }
        })
      },
      isAlive: () => alive,
      async close() {
        await channel.end()
      },
    }
  })
}
