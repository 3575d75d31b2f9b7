// What a worker runs, in Node and in a page: it follows orders, one after another.
import { route } from '../index.js'
import type { Answer, Kind, Order, Works } from './kinds.js'
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

function follow<K extends Kind>(order: Order<K>): void {
  const { kind, task, byteOffset, length } = order
  memory = order.memory ?? memory
  let { room } = order
  const roomFor = (bytes: number): ArrayBuffer => {
    if (room.byteLength < bytes) room = new ArrayBuffer(bytes)
    return room
  }
  const answer = (made?: Answer<K>['made'], transfer: ArrayBuffer[] = []): void => {
    const back = memory instanceof ArrayBuffer ? { memory, room } : { room }
    port.postMessage({ ...back, made }, [...Object.values(back), ...transfer])
  }
  try {
    answer(...works[kind](new Float32Array(memory, byteOffset, length), task, roomFor))
  } catch {
    answer()
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
