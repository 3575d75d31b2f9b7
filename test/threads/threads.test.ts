import { Worker } from 'node:worker_threads'
import { InputError, nemotron3Nano, type RouterConfig, type Routing, route, routerOf, streams } from 'moesim'
import { openThreads, sharedFloats, type Threads } from 'moesim/threads'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { expectRefused, refusal, run } from './outcomes.js'
import { jobsDuring, type Watched, watched, withoutSharedMemory } from './workers.js'

const router = routerOf(nemotron3Nano)

const drawn = new Float64Array(1_700_000)
streams('threads')('logits', 0).normals(drawn)
for (let i = 0; i < drawn.length; i += 1009) drawn[i] = Number.NEGATIVE_INFINITY

/** Of the normal distribution, in shared memory, a few of them masked. */
function logitsOf(tokens: number, numExperts: number): Float32Array {
  const logits = sharedFloats(tokens * numExperts)
  logits.set(drawn.subarray(0, logits.length))
  return logits
}

const bytes = ({ experts, weights }: Routing): Buffer[] =>
  [experts, weights].map((values) => Buffer.from(values.buffer, values.byteOffset, values.byteLength))

function expectSame(found: Routing, wanted: Routing): void {
  expect({ ...found, experts: 0, weights: 0 }).toEqual({ ...wanted, experts: 0, weights: 0 })
  expect(bytes(found).map((part, i) => part.equals(bytes(wanted)[i]!))).toEqual([true, true])
}

const cases: [string, RouterConfig, number][] = [
  ['sigmoid', router, 12_400],
  ['two threads for three', router, 8193],
  ['softmax before top-k', { ...router, scoreFunction: 'softmax' }, 8200],
  ['softmax after top-k', { ...router, scoreFunction: 'softmax', softmaxOrder: 'afterTopK' }, 8250],
  ['groups', { ...router, numGroups: 8, topGroups: 4 }, 12_300],
  ['22 of 512', { ...router, numExperts: 512, topK: 22, scoreFunction: 'sqrtsoftplus' }, 3100],
  ['more experts than the kernels hold', { ...router, numExperts: 1100 }, 1000],
  ['so many blocks that the last is left to who asks', { ...router, numExperts: 6 }, 283_000],
  ['2 experts', { ...router, numExperts: 2, topK: 1 }, 530_001],
]

describe.each([1, 2, 3])('%d threads', (workers) => {
  let threads: Threads
  let team: Watched[]
  beforeAll(async () => {
    threads = await watched((started) => {
      team = started
      return openThreads({ workers })
    })
  })
  afterAll(() => threads.close())

  test.each(cases)('route as one does, to the byte: %s', async (_, router, tokens) => {
    const logits = logitsOf(tokens, router.numExperts)
    const mayBias = router.softmaxOrder !== 'afterTopK'
    const bias = Float32Array.from({ length: router.numExperts }, (_, e) => Math.fround(0.01 * (e % 7)))
    const rest = mayBias ? [bias] : []
    const wanted = route(logits, router, ...rest)
    const before = team.map(({ jobs, done }) => [jobs, done])
    expectSame(await threads.route(logits, router, ...rest), wanted)
    const later = logits.subarray(router.numExperts)
    expectSame(await threads.route(later, router, ...rest), route(later, router, ...rest))
    // Not shared, twice, as the memory of the first call is used again; and shorter, which leaves some of it over.
    const copy = logits.slice()
    for (let time = 0; time < 2; time++) expectSame(await threads.route(copy, router, ...rest), wanted)
    const fewer = copy.subarray(0, Math.floor(0.9 * tokens) * router.numExperts)
    expectSame(await threads.route(fewer, router, ...rest), route(fewer, router, ...rest))
    expect([logits.length, copy.length]).toEqual(Array(2).fill(tokens * router.numExperts))
    expect(threads.workers).toBe(workers)
    const since = team.map(({ jobs, done }, i) => [jobs - before[i]![0]!, done - before[i]![1]!])
    expect(since.map(([jobs, done]) => jobs! - done!)).toEqual(team.map(() => 0))
    if (workers > 1) expect(since[0]![1]).toBeGreaterThan(3)
  })

  test('route as one does after batches of quite other logits, biases and settings', async () => {
    const logits = logitsOf(12_400, router.numExperts)
    const small = logits.map((logit) => 0.01 * logit - 3)
    const tilted = Float32Array.from({ length: router.numExperts }, (_, e) => (e < 40 ? 5 : -5))
    for (const batch of [logits, small]) {
      for (const bias of [undefined, tilted, tilted.map((value) => -value)]) {
        for (const settings of [router, { ...router, topK: 8, scoreFunction: 'softmax' as const }])
          expectSame(await threads.route(batch, settings, bias), route(batch, settings, bias))
      }
    }
  })

  test.each([
    ['at the end', [12_399]],
    ['at the start', [0]],
    ['at both, where the first is told', [3, 12_000]],
    ['in the middle', [6500]],
  ])('tell where in the whole batch a logit is no number: %s', async (_, tokens) => {
    const sound = logitsOf(12_400, router.numExperts)
    for (const [logits, wrong] of [
      [sound.slice(), Number.POSITIVE_INFINITY],
      [sound, Number.NaN],
    ] as const) {
      for (const token of tokens) logits[token * router.numExperts + 5] = wrong
      const { name, rule, value, remedy } = await refusal(threads.route(logits, router))
      expect({ name, rule, value }).toEqual({
        name: 'InputError',
        rule: `route: the logit of token ${tokens[0]} for expert 5 must be a number below +∞`,
        value: wrong,
      })
      expect(remedy).toMatch(/^Use −∞/)
      for (const token of tokens) logits[token * router.numExperts + 5] = 0
    }
    expectSame(await threads.route(sound, router), route(sound, router)) // it goes on
  })

  test('refuse what route refuses, in its words', async () => {
    const logits = logitsOf(12_400, router.numExperts)
    const given: [Float32Array, RouterConfig, Float32Array?][] = [
      [logits.subarray(1), router],
      [Array.from({ length: logits.length }) as unknown as Float32Array, router],
      [undefined as unknown as Float32Array, router],
      [logits, { ...router, topK: 0 }],
      [logits, undefined as unknown as RouterConfig],
      [logits, router, new Float32Array(3)],
      [logits, router, new Float32Array(router.numExperts).fill(Number.NaN)],
      [logits, { ...router, scoreFunction: 'softmax', softmaxOrder: 'afterTopK' }, new Float32Array(128)],
    ]
    for (const each of given) await expectRefused(threads.route(...each), () => route(...each))
  })

  test('answer calls that overlap, in turn', async () => {
    const batches = [12_400, 10, 9000, 0].map((tokens) => logitsOf(tokens, router.numExperts))
    const found = await Promise.all(batches.map((logits) => threads.route(logits, router)))
    found.forEach((routing, i) => {
      expectSame(routing, route(batches[i]!, router))
    })
  })
})

test('without shared memory the tokens are sent', async () => {
  const wanted = route(logitsOf(12_400, router.numExperts), router)
  const buffer = SharedArrayBuffer
  await withoutSharedMemory(async () => {
    const threads = await openThreads({ workers: 2 })
    const logits = logitsOf(12_400, router.numExperts)
    expect(logits.buffer).not.toBeInstanceOf(buffer)
    expectSame(await threads.route(logits, router), wanted)
    await threads.close()
  })
})

test('workers are asked from 8,192 tokens of 128 experts on, one for each 4,096 tokens after the first', async () => {
  await watched(async (workers) => {
    const threads = await openThreads({ workers: 3 })
    const asked = (tokens: number) => jobsDuring(workers, () => threads.route(logitsOf(tokens, 128), router))
    expect(await asked(0)).toEqual([0, 0])
    expect(await asked(8191)).toEqual([0, 0])
    expect(await asked(8192)).toEqual([1, 0])
    expect(await asked(12_288)).toEqual([1, 1])
    await threads.close()
  })
})

test('closed twice they are closed, what was asked before is answered, and what is asked after is refused', async () => {
  const threads = await openThreads({ workers: 2 })
  const logits = logitsOf(12_400, 128)
  const answer = threads.route(logits, router)
  const closed = threads.close()
  await threads.close()
  await closed
  expectSame(await answer, route(logits, router))
  const error = await refusal(threads.route(logits, router))
  expect(error).toBeInstanceOf(InputError)
  expect(error.message).toBe('route: the threads must be open, got "closed ones". Call openThreads again.')
})

test('a worker that dies takes nothing with it', async () => {
  await watched(async (workers) => {
    const threads = await openThreads({ workers: 3 })
    const logits = logitsOf(12_400, 128)
    const answers = [threads.route(logits, router), threads.route(logits, router)]
    await Promise.resolve()
    await workers[0]!.worker.terminate()
    for (const answer of answers) expectSame(await answer, route(logits, router))
    expect(threads.workers).toBe(2)
    expectSame(await threads.route(logits, router), route(logits, router))
    await threads.close()
  })
})

test('a worker that does not start is an error, and the others are ended', async () => {
  let started = 0
  class Second extends Worker {
    constructor(file: string | URL, options?: ConstructorParameters<typeof Worker>[1]) {
      super(started++ === 1 ? new URL('gone.js', file) : file, options)
    }
  }
  await watched(async (workers) => {
    const error = await refusal(openThreads({ workers: 3 }))
    expect(error).toBeInstanceOf(InputError)
    expect(error.message).toMatch(
      /^openThreads: a worker must start, got "Cannot find module .*Let the bundler/,
    )
    expect(workers[0]!.worker.threadId).toBe(-1) // it has ended
  }, Second)
})

test.each([0, 1.5, -1, Number.NaN, 1025, '2'])('%j workers are refused', async (workers) => {
  const error = await refusal(openThreads({ workers: workers as number }))
  expect(error.rule).toBe('openThreads: workers must be a whole number from 1 to 1024')
})

test('an option misspelt is refused', async () => {
  const { message } = await refusal(openThreads({ worker: 2 } as object))
  expect(message).toMatch(/^openThreads: the options must have only the fields of its kind, got "worker"/)
})

test('forgotten threads let the process end, but not before their answer is there', () => {
  const code = `
    import { route } from 'moesim'
    import { openThreads, sharedFloats } from 'moesim/threads'
    const router = ${JSON.stringify(router)}
    const threads = await openThreads({ workers: 3 })
    const routing = await threads.route(sharedFloats(20000 * 128), router)
    console.log(threads.workers, routing.tokens, routing.experts[119999])`
  expect(run(code)).toBe('3 20000 5')
})

test('unless told otherwise there are as many as the machine runs at a time', () => {
  const code = `
    import { availableParallelism } from 'node:os'
    import { openThreads } from 'moesim/threads'
    console.log((await openThreads()).workers === availableParallelism())`
  expect(run(code)).toBe('true')
})
