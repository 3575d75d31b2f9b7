// What a worker runs, in Node and in a page: it follows orders, one after another.
import { route } from '../index.js'
import type { Kind, Order, Works } from './kinds.js'
import { layerWorks } from './layer-works.js'
import { nodeThreads } from './node-threads.js'
import { routeWorks } from './route-work.js'

interface Port {
  postMessage(message: unknown, transfer: ArrayBuffer[]): void
}

const node = nodeThreads()?.parentPort
const port: Port = node ?? (globalThis as unknown as Port)

const works: Works = { ...routeWorks(), ...layerWorks() }
let memory: ArrayBufferLike = new ArrayBuffer(0)

function follow<K extends Kind>({ kind, task, memory: sent = memory, byteOffset, length }: Order<K>): void {
  memory = sent
  const own = memory instanceof ArrayBuffer ? { memory } : {}
  const back = Object.values(own)
  try {
    const [made, transfer] = works[kind](new Float32Array(memory, byteOffset, length), task)
    port.postMessage({ ...own, made }, [...back, ...transfer])
  } catch {
    port.postMessage(own, back)
  }
}

if (node) node.on('message', follow)
else addEventListener('message', ({ data }: MessageEvent<Order<Kind>>) => follow(data))

// Compiles the kernels before the first order.
route(new Float32Array(1), {
  numExperts: 1,
  topK: 1,
  scoreFunction: 'sigmoid',
  normalize: true,
  scale: 1,
})
port.postMessage({}, [])
