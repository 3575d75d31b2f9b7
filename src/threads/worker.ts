// What a worker runs, in Node and in a page: it answers jobs, one after another.
import { route } from '../index.js'
import { answer, newWork, type Order } from './job.js'
import { nodeThreads } from './node-threads.js'

interface Port {
  postMessage(message: unknown, transfer: ArrayBuffer[]): void
}

const node = nodeThreads()?.parentPort
const port: Port = node ?? (globalThis as unknown as Port)

const work = newWork()
let memory: ArrayBufferLike = new ArrayBuffer(0)

function reply({ memory: sent = memory, byteOffset, length, ...job }: Order): void {
  memory = sent
  const { answer: message, transfer } = answer(work, {
    ...job,
    rows: new Float32Array(memory, byteOffset, length),
  })
  port.postMessage(message, transfer)
}

if (node) node.on('message', reply)
else addEventListener('message', ({ data }: MessageEvent<Order>) => reply(data))

// Compiles the kernels before the first job.
route(new Float32Array(1), {
  numExperts: 1,
  topK: 1,
  scoreFunction: 'sigmoid',
  normalize: true,
  scale: 1,
})
port.postMessage({}, [])
