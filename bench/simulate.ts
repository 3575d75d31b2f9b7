/**
 * Steps of 4,096 tokens, E = 128, K = 6, one thread: draw → logits → route → count → bias. PyTorch does the same, with its
 * own draws; the bias goes on from step to step in both.
 */
import {
  type Balance,
  type BiasState,
  biasBalance,
  gaussian,
  hiddenGaussian,
  linearRouter,
  type RouterConfig,
  simulate,
  streams,
} from 'moesim'
import type { Peers } from './peers/find.js'
import { type Contender, inRounds, type Table } from './rounds.js'

const [numExperts, topK, scale, tokens] = [128, 6, 2.5, 4096]
const router: RouterConfig = { numExperts, topK, scoreFunction: 'sigmoid', normalize: true, scale }
const rate = 1e-3
const balance: Balance<BiasState> = biasBalance({ rate })
const stepsPerTurn = 10

const note = (ms: number): string => `${Math.round((1000 / ms) * stepsPerTurn)} steps a second`

export async function simulateTables({ python }: Peers): Promise<Table[]> {
  const tables: Table[] = []
  for (const hiddenSize of [0, 64, 256]) {
    const shared = { balance, tokensPerStep: tokens, seed: 'bench' }
    const weight = hiddenSize > 0 ? randomRouter(hiddenSize) : undefined
    const steps =
      weight === undefined
        ? simulate({ ...shared, router, workload: gaussian({ numExperts }) })
        : simulate({
            ...shared,
            router: linearRouter(router, weight),
            numExperts,
            workload: hiddenGaussian({ hiddenSize }),
          })
    const ours: Contender = {
      name: 'moesim',
      note,
      run: () => {
        let sum = 0
        for (let step = 0; step < stepsPerTurn; step++) sum += steps.next().value!.maxViolation
        return sum
      },
    }
    const options = { tokens, steps: stepsPerTurn, experts: numExperts, topK, rate }
    const through = weight && { router: python?.file(weight), hiddenSize }
    const torch = await python?.contender('PyTorch', 'torch_simulate', { ...options, ...through })
    const contenders = [ours, ...(torch ? [{ ...torch, note }] : [])]
    const source = weight === undefined ? 'gaussian logits' : `hidden states of D = ${hiddenSize}`
    const title = `simulate, ${source}, ${stepsPerTurn} steps of ${tokens.toLocaleString('en')} tokens`
    tables.push(await inRounds(title, contenders, { time: 300 }))
  }
  return tables
}

/** A router weight [E, D] that gives logits N(0, 1). */
function randomRouter(hiddenSize: number): Float32Array {
  const random = streams('bench')('router')
  return Float32Array.from(
    { length: numExperts * hiddenSize },
    (_, i) => random.at(i).normal() / Math.sqrt(hiddenSize),
  )
}
