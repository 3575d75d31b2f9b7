/**
 * One step of a router with a bias: logits → scores + bias → top-k → weights → counts → next bias. All contenders get the
 * same batches and must give the same experts and weights first. Drawn logits are alike from token to token; those of the
 * trained router, of three layers, are not.
 */
import { readFileSync } from 'node:fs'
import {
  biasBalance,
  gaussian,
  loadOf,
  prepareRoute,
  type RouterConfig,
  readTrace,
  route,
  routerLogits,
  streams,
} from 'moesim'
import { withoutWebAssembly } from '../test/kernels/plain.js'
import type { Peers } from './peers/find.js'
import { type Backend, reading, tfjsRoute, tidied, use } from './peers/tfjs.js'
import { type Contender, inRounds, type Table } from './rounds.js'
import { agree, type RouteResult } from './same-results.js'

const trace = new URL('../examples/data/trace.safetensors', import.meta.url)

interface Case {
  readonly numExperts: number
  readonly topK: number
  readonly tokens: number
  /** A batch each; drawn unless given. */
  readonly logits?: readonly Float32Array[]
}

const trainedLogits = (): Float32Array[] =>
  readTrace(readFileSync(trace)).layers.map(({ hidden, weight }) => routerLogits(hidden, weight, 128))

const drawnCases: readonly Case[] = [
  { numExperts: 128, topK: 6, tokens: 4096 },
  { numExperts: 128, topK: 6, tokens: 16384 },
  { numExperts: 128, topK: 6, tokens: 65536 },
  { numExperts: 64, topK: 8, tokens: 16384 },
  { numExperts: 512, topK: 22, tokens: 16384 },
]
const [scale, rate] = [2.5, 1e-3]
const balance = biasBalance({ rate })

type Step = (logits: Float32Array) => RouteResult | Promise<RouteResult>
type Named = [name: string, step: Step, kind?: { async?: boolean; prepare?: () => unknown }]

export async function routeTables(peers: Peers): Promise<Table[]> {
  const tables: Table[] = []
  const trained = trainedLogits()
  const ofTrained = { numExperts: 128, topK: 6, tokens: trained[0].length / 128, logits: trained }
  for (const { numExperts, topK, tokens, logits } of [...drawnCases, ofTrained]) {
    const router: RouterConfig = { numExperts, topK, scoreFunction: 'sigmoid', normalize: true, scale }
    const workload = gaussian({ numExperts, skew: 0.5 })
    const random = streams('bench')
    const drawn = Math.max(4, 2 ** 25 / (tokens * numExperts))
    const batches =
      logits ??
      Array.from(
        { length: drawn },
        (_, step) => workload({ step, layer: 0, tokens, random }).logits as Float32Array,
      )
    const count = batches.length
    const bias = Float32Array.from({ length: numExperts }, (_, e) => 0.05 * random('bias').at(e).normal())
    const next = (load: Int32Array) => balance.update({ bias, updates: 0 }, load).bias
    /** Experts at every `stride`-th word, which is how a little-endian int64 lies in memory. */
    const finish = (experts: Int32Array, weights: Float32Array, stride = 1): RouteResult => {
      const load = new Int32Array(numExperts)
      for (let i = 0; i < experts.length; i += stride) load[experts[i]]++
      return { experts, weights, bias: next(load), stride }
    }
    const ours: Step = (logits) => {
      const routing = route(logits, router, bias)
      return { ...routing, bias: next(loadOf(routing)) }
    }
    const resident = batches.map((batch) => {
      const prepared = prepareRoute(router, tokens)
      prepared.logits.set(batch)
      return prepared
    })
    const inPlace: Step = (logits) => {
      const { load, ...routing } = resident[batches.indexOf(logits)].route(bias)
      return { ...routing, bias: next(load) }
    }
    const steps: Named[] = [
      ['moesim', ours],
      ['moesim, in place', inPlace],
      ['moesim, plain JS', (logits) => withoutWebAssembly(() => ours(logits) as RouteResult)],
    ]
    for (const [name, runtime] of peers.onnx) {
      const run = await runtime.router(tokens, numExperts, topK, scale)
      const step: Step = async (logits) => {
        const { experts, weights } = await run(logits, bias)
        return finish(
          new Int32Array(experts.data.buffer, experts.data.byteOffset, 2 * experts.data.length),
          weights.data,
          2,
        )
      }
      steps.push([name, step, { async: true }])
    }
    const tfjs: [name: string, backend: Backend, read: typeof reading][] = [
      ['tfjs wasm', 'wasm', reading],
      ['tfjs wasm, by tidy', 'wasm', tidied],
      ['tfjs cpu', 'cpu', reading],
    ]
    for (const [name, backend, read] of tfjs) {
      const step: Step = (logits) => {
        const { experts, weights } = tfjsRoute(logits, bias, topK, scale, read)
        return finish(experts, weights)
      }
      steps.push([name, step, { prepare: () => use(backend) }])
    }

    const given = { numExperts, topK, scale, logits: batches[0], bias }
    const wanted = ours(batches[0]) as RouteResult
    const contenders: Contender[] = []
    for (const [name, step, kind] of steps) {
      await kind?.prepare?.()
      agree(name, given, wanted, await step(batches[0]))
      const sum = ({ weights, bias }: RouteResult): number => weights[0] + bias[0]
      const run = (turn: number) => {
        const made = step(batches[turn % count])
        return made instanceof Promise ? made.then(sum) : sum(made)
      }
      contenders.push({ name, run, ...kind })
    }
    const options = peers.python && {
      batches: batches.map(peers.python.file),
      bias: peers.python.file(bias),
      ...{ experts: numExperts, topK, scale, rate },
    }
    for (const [name, kind] of Object.entries({ PyTorch: 'torch_route', NumPy: 'numpy_route' })) {
      const contender = await peers.python?.contender(name, kind, options!)
      if (contender === undefined) continue
      const [experts, weights, bias] = await contender.results()
      agree(name, given, wanted, {
        experts: new Int32Array(new Uint8Array(experts).buffer),
        weights: new Float32Array(new Uint8Array(weights).buffer),
        bias: new Float32Array(new Uint8Array(bias).buffer),
        stride: 2,
      })
      contenders.push(contender)
    }
    const of = logits ? ' of a trained router' : ''
    const title = `route, E = ${numExperts}, K = ${topK}, ${tokens.toLocaleString('en')} tokens${of}`
    tables.push(await inRounds(title, contenders))
  }
  return tables
}
