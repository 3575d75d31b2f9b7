// Each bug beside the same simulation without it.
import {
  type Batch,
  biasBalance,
  gaussian,
  log,
  type Router,
  type RouterConfig,
  type Setup,
  simulate,
  streams,
  type Workload,
} from 'moesim'
import { countedTwice, countsAgainstShares, everyMicroBatch, from, held, keptInBf16 } from './balances.js'
import * as bugs from './routers.js'

export interface Exhibit {
  readonly bug: string
  /** The pull request that repairs it, or the issue that reports or discusses it, on GitHub. */
  readonly shipped: string
  readonly right: Setup<unknown>
  readonly wrong: Setup<unknown>
  /** Tokens of each batch that are no padding, the first ones; all unless given. */
  readonly tokens?: number
}

const numExperts = 64
const router: RouterConfig = { numExperts, topK: 6, scoreFunction: 'sigmoid', normalize: true, scale: 2.5 }
const grouped: RouterConfig = { ...router, numGroups: 8, topGroups: 4, groupScoreTop: 2 }
const single: RouterConfig = { ...router, topK: 1, normalize: false, scale: 1 }
const workload = drawnOnce(gaussian({ numExperts, skew: 0.5 }))
const training = { router, workload, tokensPerStep: 1024, steps: 64, seed: 8 }
const sign = biasBalance({ rate: 1e-2, center: true })

/** The bias that balances a router in 64 steps. */
function learnt(of: RouterConfig): Float32Array {
  const balance = biasBalance({ rate: (step) => (step < 40 ? 1e-2 : 2e-3), center: true })
  let bias = new Float32Array(numExperts)
  for (const report of simulate({ ...training, router: of, balance })) bias = report.bias.slice()
  return bias
}

/** Each exhibit looks at the same tokens: they are drawn once. */
function drawnOnce(workload: Workload): Workload {
  const batches = new Map<number, Batch>()
  return (context) => {
    const batch = batches.get(context.step) ?? workload(context)
    batches.set(context.step, batch)
    return batch
  }
}

const biasOf = new Map([router, grouped, single].map((config) => [config, learnt(config)]))

/** A trained model that is served without and with a bug, under the bias it has learnt, or one that drifted from there. */
function serving(
  bug: (config: RouterConfig) => Router | RouterConfig,
  config = router,
  drift = 0,
): Pick<Exhibit, 'right' | 'wrong'> {
  const learntBias = biasOf.get(config) as Float32Array
  const balance = held(learntBias.map((value) => value + drift))
  const right = { ...training, steps: 8, router: config, balance }
  return { right, wrong: { ...right, router: bug(config) } }
}

const heavyTail = Float64Array.from({ length: numExperts }, (_, e) => -0.5 * log(1 - (e + 0.5) / numExperts))
const uneven = { ...training, workload: drawnOnce(gaussian({ numExperts, offsets: heavyTail })) }
const inTokens = biasBalance({ rate: 0.1 / 96, rule: 'proportional', unit: 'tokens' }) // of 96 tokens an expert
const manyBatches = {
  ...training,
  steps: 128,
  updateEvery: 8,
  balance: biasBalance({ rate: 1e-3, center: true }),
}

const realTokens = 768
const paddingRow = new Float64Array(numExperts) // the logits of the one token that pads
streams('padding')('workload').normals(paddingRow)
const padded: Workload = (context) => {
  const { tokens, logits = new Float32Array() } = workload(context)
  const isReal = (i: number) => i < realTokens * numExperts
  return { tokens, logits: logits.map((logit, i) => (isReal(i) ? logit : paddingRow[i % numExperts])) }
}

export const exhibits: readonly Exhibit[] = [
  { bug: 'bias in the weights', shipped: 'vllm-project/vllm#12002', ...serving(bugs.biasInWeights) },
  {
    bug: 'bias of 5 loaded as bf16',
    shipped: 'vllm-project/vllm#23640',
    ...serving(bugs.biasLoadedAsBf16, router, 5),
  },
  {
    bug: 'groups masked with 0',
    shipped: 'vllm-project/vllm#13474',
    ...serving(bugs.maskOfZero, grouped, -1),
  },
  {
    bug: 'groups ranked by 1, not 2',
    shipped: 'NVIDIA/Megatron-LM#1441',
    ...serving(bugs.groupsByOtherRank, grouped),
  },
  { bug: 'softmax, bias of sigmoid', shipped: 'ml-explore/mlx-lm#1883', ...serving(bugs.softmaxUnderBias) },
  { bug: 'scale forgotten', shipped: 'sgl-project/sglang#31449', ...serving(bugs.scaleUnlessNormalized) },
  { bug: 'scale put on twice', shipped: 'vllm-project/vllm#45037', ...serving(bugs.scaleTwice) },
  {
    bug: 'K = 1, normalised',
    shipped: 'jingyaogong/minimind#858',
    ...serving(bugs.normalizedAtOne, single),
  },
  {
    bug: 'bias kept in bf16, from 5',
    shipped: 'NVIDIA/Megatron-LM#1482',
    right: { ...training, balance: from(5, sign) },
    wrong: { ...training, balance: keptInBf16(from(5, sign)) },
  },
  {
    bug: 'moved every micro-batch',
    shipped: 'pytorch/torchtitan#1304',
    right: manyBatches,
    wrong: everyMicroBatch(manyBatches),
  },
  {
    bug: 'counted twice, sign',
    shipped: 'pytorch/torchtitan#1593',
    right: { ...training, balance: sign },
    wrong: { ...training, balance: countedTwice(sign) },
  },
  {
    bug: 'counted twice, in tokens',
    shipped: 'pytorch/torchtitan#1593',
    right: { ...training, balance: inTokens },
    wrong: { ...training, balance: countedTwice(inTokens) },
  },
  {
    bug: 'counts against shares',
    shipped: 'gfyddha/FlyLoRA#1',
    right: { ...training, balance: sign },
    wrong: { ...training, balance: countsAgainstShares(1e-2) },
  },
  {
    bug: 'not centred',
    shipped: 'pytorch/torchtitan#1506',
    right: { ...uneven, balance: sign },
    wrong: { ...uneven, balance: biasBalance({ rate: 1e-2 }) },
  },
  {
    bug: 'padding counted',
    shipped: 'NVIDIA/Megatron-LM#5542',
    tokens: realTokens,
    right: { ...training, workload: padded, router: bugs.paddingLeftOut(router, realTokens), balance: sign },
    wrong: { ...training, workload: padded, balance: sign },
  },
]
