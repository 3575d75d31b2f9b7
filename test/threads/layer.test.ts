import { Worker } from 'node:worker_threads'
import {
  applyCapacity,
  InputError,
  type LayerConfig,
  prepareLayer,
  type Routing,
  randomWeights,
  route,
  routeLayer,
  streams,
  tokenMajorOrder,
} from 'moesim'
import { openThreads, sharedFloats, type ThreadedLayer, type Threads } from 'moesim/threads'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { anyWeights } from '../layer/any-layer.js'
import { expectRefused, refusal, run } from './outcomes.js'
import { jobsDuring, type Watched, watched, withoutSharedMemory } from './workers.js'

const router = {
  numExperts: 9,
  topK: 3,
  scoreFunction: 'sigmoid',
  normalize: true,
  scale: 1.5,
} as const

/** 28,080 multiply-adds a token: 1,781 tokens are for two threads, 2,671 for three. */
const plain: LayerConfig = { hiddenSize: 48, expertWidth: 96, router, activation: 'relu2', gated: false }
const [forTwo, forThree] = [1781, 2671]

const configs: [string, LayerConfig][] = [
  ['relu2', plain],
  ['shared expert and correction bias', { ...plain, correctionBias: true, sharedWidth: 40 }],
  [
    'gated, with a shared gate',
    { ...plain, activation: 'silu', gated: true, sharedWidth: 24, sharedGate: true },
  ],
  ['latent', { ...plain, latentWidth: 40, expertWidth: 110, sharedWidth: 16 }],
  [
    'biases',
    {
      ...plain,
      router: { ...router, scoreFunction: 'softmax', softmaxOrder: 'afterTopK' },
      activation: 'swigluoai',
      gated: true,
      expertBiases: true,
      routerBias: true,
    },
  ],
  ['weighed inputs', { ...plain, router: { ...router, topK: 1 }, expertWidth: 290, weighInput: true }],
  ['odd widths', { ...plain, hiddenSize: 37, expertWidth: 125, activation: 'relu' }],
]

/** Hidden states of the normal distribution, in shared memory. */
function hiddenOf(tokens: number, { hiddenSize } = plain): Float32Array {
  const drawn = new Float64Array(tokens * hiddenSize)
  streams('threads')('hidden', 0).normals(drawn)
  const hidden = sharedFloats(drawn.length)
  hidden.set(drawn)
  return hidden
}

const weights = anyWeights(plain)
const alone = prepareLayer(weights, plain)

function expectSame(found: Float32Array, wanted: Float32Array): void {
  const [one, other] = [found, wanted].map(({ buffer, byteOffset, byteLength }) =>
    Buffer.from(buffer, byteOffset, byteLength),
  )
  expect(found).toBeInstanceOf(Float32Array)
  expect(one!.equals(other!)).toBe(true)
}

describe.each([1, 2, 3])('%d threads', (workers) => {
  let threads: Threads
  let team: Watched[]
  let layer: ThreadedLayer
  beforeAll(async () => {
    threads = await watched((started) => {
      team = started
      return openThreads({ workers })
    })
    layer = await threads.prepareLayer(weights, plain)
  })
  afterAll(() => threads.close())

  test.each(configs)('compute a layer as one does, to the byte: %s', async (_, config) => {
    const weights = anyWeights(config)
    const alone = prepareLayer(weights, config)
    const layer = await threads.prepareLayer(weights, config)
    const hidden = hiddenOf(2801, config)
    const before = team.map(({ done }) => done)
    const free = routeLayer(hidden, weights, config)
    const tight = applyCapacity(free, { capacity: 700, order: tokenMajorOrder(free) })
    const wanted = alone(hidden)
    expectSame(await layer.forward(hidden), wanted)
    expectSame(await layer.forward(hidden, free), wanted)
    expectSame(await layer.forward(hidden, tight), alone(hidden, tight))
    const later = hidden.subarray(config.hiddenSize)
    expectSame(await layer.forward(later), alone(later))
    // Not shared, twice, as the memory of the first call is used again; and shorter, which leaves some of it over.
    const copy = hidden.slice()
    for (let time = 0; time < 2; time++) expectSame(await layer.forward(copy, free), wanted)
    for (const tokens of [2700, 7, 1, 0]) {
      const fewer = copy.subarray(0, tokens * config.hiddenSize)
      expectSame(await layer.forward(fewer), alone(fewer))
    }
    expect([hidden.length, copy.length]).toEqual(Array(2).fill(2801 * config.hiddenSize))
    expect(threads.workers).toBe(workers)
    expect(team.map(({ done }, i) => done - before[i]! >= 7)).toEqual(team.map(() => true))
    await layer.close()
  })

  test('hold the weights as they were, and leave them to the caller: in shared memory, and parts of a larger one', async () => {
    const own = Object.fromEntries(
      Object.entries(weights).map(([name, values], i) => {
        const memory = i % 2 === 0 ? sharedFloats(values.length + 5) : new Float32Array(values.length + 5)
        memory.set(values, 3)
        return [name, memory.subarray(3, values.length + 3)]
      }),
    )
    const layer = await threads.prepareLayer(own, plain)
    expect(own).toEqual(weights)
    for (const values of Object.values(own)) values.fill(0)
    const hidden = hiddenOf(forThree)
    expectSame(await layer.forward(hidden), alone(hidden))
    expectSame(await layer.forward(hidden, routeLayer(hidden, weights, plain)), alone(hidden))
    await layer.close()
  })

  test.each([
    ['at the end', [2800]],
    ['at the start', [0]],
    ['at both, where the first is told', [3, 2790]],
    ['in the middle', [1400]],
  ])('tell which token of the whole batch cannot be routed: %s', async (_, tokens) => {
    const sound = hiddenOf(2801)
    for (const hidden of [sound.slice(), sound]) {
      for (const token of tokens) hidden[token * 48 + 5] = Number.NaN
      const found = layer.forward(hidden)
      await expectRefused(found, () => alone(hidden))
      expect((await refusal(found)).rule).toMatch(`the logit of token ${tokens[0]} for expert 0`)
      for (const token of tokens) hidden[token * 48 + 5] = 0
    }
    expectSame(await layer.forward(sound), alone(sound)) // it goes on
  })

  test('refuse what prepareLayer and its function refuse, in their words', async () => {
    const hidden = hiddenOf(2801)
    const routing = routeLayer(hidden, weights, plain)
    const given: [Float32Array, Routing?][] = [
      [hidden.subarray(1)],
      [hidden.subarray(1), routing],
      [hidden.subarray(48), routing],
      [hidden, { ...routing, numExperts: 10 }],
      [Array.from(hidden) as unknown as Float32Array, routing],
      [undefined as unknown as Float32Array],
    ]
    for (const each of given) await expectRefused(layer.forward(...each), () => alone(...each))
    for (const each of [
      [{ ...weights, upProj: new Float32Array(3) }, plain],
      [{ ...weights, gateProj: hidden }, plain],
      [weights, { ...plain, expertWidth: 0 }],
      [undefined, plain],
      [weights, undefined],
    ] as unknown as [typeof weights, LayerConfig][]) {
      await expectRefused(threads.prepareLayer(...each), () => prepareLayer(...each))
    }
    expectSame(await layer.forward(hidden, routing), alone(hidden, routing))
  })

  test('answer calls that overlap, of layers and of route, in turn', async () => {
    const other = { ...plain, expertWidth: 56 }
    const otherWeights = randomWeights(other, streams('threads'))
    const logits = sharedFloats(150_000 * 9).fill(0.5)
    const order: string[] = []
    const told = async <T>(name: string, answer: Promise<T>): Promise<T> => {
      const value = await answer
      order.push(name)
      return value
    }
    const hidden = hiddenOf(2801)
    const [first, routed, second, third, few] = await Promise.all([
      told('forward', layer.forward(hidden)),
      told('route', threads.route(logits, router)),
      told('prepareLayer', threads.prepareLayer(otherWeights, other)),
      told('copied', layer.forward(hidden.slice())),
      told('few', layer.forward(hidden.subarray(0, 48))),
    ])
    expect(order).toEqual(['forward', 'route', 'prepareLayer', 'copied', 'few'])
    for (const output of [first, third]) expectSame(output, alone(hidden))
    expectSame(few, alone(hidden.subarray(0, 48)))
    expect(String(routed!.experts)).toBe(String(route(logits, router).experts))
    const both = await Promise.all([layer.forward(hidden), second.forward(hidden), second.close()])
    expectSame(both[0], alone(hidden))
    expectSame(both[1], prepareLayer(otherWeights, other)(hidden))
  })
})

test('without shared memory the tokens are sent', async () => {
  const wanted = alone(hiddenOf(2801))
  await withoutSharedMemory(async () => {
    const threads = await openThreads({ workers: 3 })
    const layer = await threads.prepareLayer(weights, plain)
    const hidden = hiddenOf(2801)
    expect(hidden.buffer).toBeInstanceOf(ArrayBuffer)
    expectSame(await layer.forward(hidden), wanted)
    await threads.close()
  })
})

test('workers are asked as the multiply-adds of a batch grow', async () => {
  await watched(async (workers) => {
    const threads = await openThreads({ workers: 3 })
    const asked = (ask: () => Promise<unknown>) => jobsDuring(workers, ask)
    expect(await asked(() => threads.prepareLayer(weights, plain))).toEqual([1, 1])
    const layer = await threads.prepareLayer(weights, plain)
    const forward = (tokens: number) => asked(() => layer.forward(hiddenOf(tokens)))
    expect(await forward(forTwo - 1)).toEqual([0, 0])
    expect(await forward(forTwo)).toEqual([1, 0])
    expect(await forward(forThree - 1)).toEqual([1, 0])
    expect(await forward(forThree)).toEqual([1, 1])
    expect(await asked(() => layer.close())).toEqual([1, 1])
    await threads.close()
  })
})

test('a layer closed twice is closed, what was asked before is answered, and what is asked after is refused', async () => {
  const threads = await openThreads({ workers: 2 })
  const hidden = hiddenOf(forTwo)
  const layer = await threads.prepareLayer(weights, plain)
  const other = await threads.prepareLayer(weights, plain)
  const answer = layer.forward(hidden)
  const closed = layer.close()
  await layer.close()
  await closed
  expectSame(await answer, alone(hidden))
  const error = await refusal(layer.forward(hidden))
  expect(error).toBeInstanceOf(InputError)
  expect(error.message).toBe('forward: the layer must be open, got "a closed one". Prepare it again.')
  expectSame(await other.forward(hidden), alone(hidden))
  const last = other.forward(hidden)
  await threads.close()
  expectSame(await last, alone(hidden))
  for (const late of [other.forward(hidden), threads.prepareLayer(weights, plain)]) {
    expect((await refusal(late)).message).toMatch(
      /^(forward|prepareLayer): the threads must be open, got "closed ones"/,
    )
  }
  await other.close() // which has nothing left to do
})

test('a worker that dies takes nothing with it: over a batch, over a layer that it prepares, or between', async () => {
  await watched(async (workers) => {
    const threads = await openThreads({ workers: 4 })
    const hidden = hiddenOf(4000)
    const wanted = alone(hidden)
    const layer = await threads.prepareLayer(weights, plain)
    const answers = [layer.forward(hidden), layer.forward(hidden)]
    await Promise.resolve()
    await workers[0]!.worker.terminate()
    for (const answer of answers) expectSame(await answer, wanted)
    expect(threads.workers).toBe(3)
    const preparing = threads.prepareLayer(weights, plain)
    await Promise.resolve()
    await workers[1]!.worker.terminate()
    const next = await preparing
    expect(threads.workers).toBe(2)
    await workers[2]!.worker.terminate()
    for (const each of [layer, next]) {
      expectSame(await each.forward(hidden), wanted)
      await each.close()
    }
    await threads.close()
  })
})

test('a worker that cannot prepare a layer is not asked for it', async () => {
  class Small extends Worker {
    override postMessage(order: { kind: string; task: object }, transfer?: readonly ArrayBuffer[]): void {
      const task = order.kind === 'prepare' ? { ...order.task, weights: {} } : order.task
      super.postMessage({ ...order, task }, transfer)
    }
  }
  await watched(async (workers) => {
    const threads = await openThreads({ workers: 2 })
    const hidden = hiddenOf(forTwo)
    const layer = await threads.prepareLayer(weights, plain)
    expectSame(await layer.forward(hidden), alone(hidden))
    expect(workers.map(({ jobs }) => jobs)).toEqual([1])
    expect(threads.workers).toBe(2)
    await threads.close()
  }, Small)
})

test('settings behind a proxy, or inherited, are those of one thread', async () => {
  const inherited = Object.assign(Object.create({ scale: 3 }), { ...plain.router, scale: undefined })
  Reflect.deleteProperty(inherited, 'scale')
  const hidden = hiddenOf(forTwo)
  await watched(async (workers) => {
    const threads = await openThreads({ workers: 2 })
    for (const router of [inherited, new Proxy(plain.router, {})]) {
      const config = new Proxy({ ...plain, router }, {})
      const layer = await threads.prepareLayer(weights, config)
      expectSame(await layer.forward(hidden), prepareLayer(weights, config)(hidden))
    }
    expect(workers.map(({ done }) => done)).toEqual([4])
    await threads.close()
  })
})

test('a worker whose copy of the weights has no room goes without, and answers what comes next', async () => {
  const hidden = hiddenOf(forThree)
  await watched(async (workers) => {
    const threads = await openThreads({ workers: 3 })
    const layer = await threads.prepareLayer(weights, plain)
    const upProj = weights.upProj!.slice()
    let copies = 0
    upProj.slice = () => {
      if (copies++ === 1) throw new RangeError('Array buffer allocation failed')
      return weights.upProj!.slice()
    }
    const preparing = threads.prepareLayer({ ...weights, upProj }, plain)
    const next = layer.forward(hidden)
    const tight = await preparing
    expectSame(await next, alone(hidden))
    expectSame(await tight.forward(hidden), alone(hidden))
    expect(workers.map(({ done }) => done)).toEqual([4, 2])
    await threads.close()
  })
})

test('forgotten layers let the process end, but not before their answer is there', () => {
  const code = `
    import { randomWeights, streams } from 'moesim'
    import { openThreads, sharedFloats } from 'moesim/threads'
    const config = ${JSON.stringify(plain)}
    const threads = await openThreads({ workers: 3 })
    const layer = await threads.prepareLayer(randomWeights(config, streams(1)), config)
    const output = await layer.forward(sharedFloats(4000 * 48))
    console.log(threads.workers, output.length)`
  expect(run(code)).toBe('3 192000')
})
