// What a worker runs, in Node and in a page: it answers jobs, one after another.
import { route } from '../index.js'
import { answer, type Job } from './job.js'
import { nodeThreads } from './node-threads.js'

interface Port {
  postMessage(message: unknown, transfer: ArrayBuffer[]): void
}

const node = nodeThreads()?.parentPort
const port: Port = node ?? (globalThis as unknown as Port)

function reply(job: Job): void {
  const { answer: message, transfer } = answer(job)
  port.postMessage(message, transfer)
}

if (node) node.on('message', reply)
else addEventListener('message', ({ data }: MessageEvent<Job>) => reply(data))

// Compiles the kernels before the first job.
route(new Float32Array(1), {
  numExperts: 1,
  topK: 1,
  scoreFunction: 'sigmoid',
  normalize: true,
  scale: 1,
})
port.postMessage({}, [])
