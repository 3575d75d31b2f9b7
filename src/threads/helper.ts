import { InputError } from '../index.js'
import type { Answer, Job, Order } from './job.js'
import { nodeThreads } from './node-threads.js'

/** A thread that helps this one. */
export interface Helper {
  /** Answers one job at a time, with no parts if it dies over it. */
  ask(job: Job): Promise<Answer>
  isAlive(): boolean
  /** So many floats of memory that has been lent to the worker before, if there are. */
  room(length: number): Float32Array
  close(): Promise<void>
}

/** The one interface over workers of Node and of a page. */
interface Channel {
  post(order: Order, transfer: ArrayBuffer[]): void
  /** Whether the process waits for the worker. */
  hold(yes: boolean): void
  end(): unknown
}

type Hear = (message: Answer) => void
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
    const helper: Helper = {
      ask({ rows, ...job }) {
        channel.hold(true)
        const { buffer, byteOffset, length } = rows
        const order = { ...job, byteOffset, length, ...(buffer !== shared && { memory: buffer }) }
        const own = buffer instanceof ArrayBuffer
        shared = own ? undefined : buffer
        return new Promise((answered) => {
          settle = (message) => {
            channel.hold(false)
            spare = message.memory ?? spare
            answered(message)
          }
          channel.post(order, own ? [buffer] : [])
        })
      },
      isAlive: () => alive,
      room: (length) =>
        spare.byteLength < 4 * length ? new Float32Array(length) : new Float32Array(spare, 0, length),
      async close() {
        await channel.end()
      },
    }
  })
}
