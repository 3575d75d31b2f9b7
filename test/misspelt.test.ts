import {
  adaptCoefficient,
  allToAllSeconds,
  applyCapacity,
  auxLoss,
  baseLayer,
  biasBalance,
  bipBalance,
  bipRouter,
  cosineLogits,
  deepspeedCapacity,
  deviceLoss,
  domains,
  expertChoice,
  expertParallelDecode,
  flaxformerCapacity,
  flaxformerGroups,
  flopsOf,
  fromHuggingFaceConfig,
  gaussian,
  hardware,
  hiddenDomains,
  histogramQuantileBalance,
  InputError,
  largestBatch,
  layerOf,
  layerTensors,
  leakageBound,
  linearRouterInPrecision,
  linearSchedule,
  loadsOnRanks,
  longcat,
  longcatBalance,
  megablocksCapacity,
  megatronCapacity,
  megatronRankCapacity,
  memoryOf,
  moduloHashTable,
  moeLayerCost,
  multiplicativeBalance,
  noBalance,
  noisyTopK,
  placeExperts,
  publishedModels,
  quantileBalance,
  type RouterConfig,
  randomHashTable,
  randomWeights,
  rankPenaltyBalance,
  readLayerWeights,
  rebalance,
  reluRouter,
  renormalize,
  route,
  routeInPrecision,
  simulate,
  sinkhorn,
  smebuBalance,
  sparseMixer,
  sparseMixerTraining,
  sparsityController,
  stageMemory,
  stageTraffic,
  stMoeCapacity,
  streams,
  sweepExpertParallel,
  switchCapacity,
  switchLoss,
  tinyNemotronH,
  topAny,
  topAnyEvaluation,
  topP,
  tutelCapacity,
  wsdSchedule,
  zLoss,
} from 'moesim'
import { expect, test } from 'vitest'

const router: RouterConfig = { numExperts: 4, topK: 2, scoreFunction: 'sigmoid', normalize: true, scale: 1 }
const { numExperts, topK } = router
const logits = new Float32Array(8)
const routing = route(logits, router)
const sizes = { tokens: 2, numExperts, topK }
const batch = { tokens: 1, hidden: Float32Array.of(1, 2) }
const context = { step: 0, layer: 0, tokens: 1, random: streams(1) }
const table = { vocabulary: 8, numExperts, topK }
const cosine = {
  projection: new Float32Array(4).fill(1),
  directions: new Float32Array(4).fill(1),
  temperature: 0,
}
const gate = { weight: new Float32Array(4).fill(1), thresholds: new Float32Array(2) }
const noisy = { numExperts, topK, gateWeights: new Float32Array(8), noiseWeights: new Float32Array(8) }
const cluster = { replicas: 4, ranks: 2 }
const layer = layerOf(tinyNemotronH)
const loads = [[1, 2, 3, 4]]
const memory = memoryOf(tinyNemotronH)
const alone = { tensor: 1, context: 1, pipeline: 1, expert: 1, data: 1 }
const formats = { activations: 'fp8', dispatch: 'fp8', combine: 'bf16' } as const
const decode = { model: memory, hardware: hardware.h200, contextTokens: 1, ...formats }
const layerSetup = {
  ...{ ...formats, width: 8, expertWidth: 8, gated: false, weights: 'fp8' as const, hardware: hardware.h200 },
  map: { ranks: 1, expertRank: new Int32Array(4), tokenRank: new Int32Array(2) },
} as const
const migrating = { cluster, interval: 1, window: 1, expertBytes: 1 }

// A field with a name of its own is what plain JavaScript, a JSON file or a spread brings in without a word from the compiler.
const stray = { oops: 1 } as object

test.each<[who: string, call: () => unknown]>([
  ['routeInPrecision: the precision', () => routeInPrecision(logits, router, { ...stray })],
  [
    'linearRouterInPrecision: the precision',
    () => linearRouterInPrecision(router, new Float32Array(8), stray),
  ],
  ['biasBalance: the options', () => biasBalance({ rate: 1, ...stray })],
  ['biasBalance: the options', () => multiplicativeBalance({ rate: 1, ...stray })],
  [
    'longcatBalance: the options',
    () => longcatBalance({ rate: 1, numReal: 3, topK, realPerToken: 1, ...stray }),
  ],
  ['smebuBalance: the options', () => smebuBalance({ rate: 1, ...stray })],
  ['rankPenaltyBalance: the options', () => rankPenaltyBalance({ ranks: 2, ...stray })],
  ['adaptCoefficient: the options', () => adaptCoefficient(0, 0, stray)],
  ['linearSchedule: the ramp', () => linearSchedule({ from: 0, to: 1, over: 1, ...stray })],
  ['wsdSchedule: the options', () => wsdSchedule({ peak: 1, warmup: 1, stable: 1, decay: 1, ...stray })],
  ['auxLoss: the options', () => auxLoss(logits, { ...router, ...stray })],
  ['switchLoss: the options', () => switchLoss(logits, { ...router, ...stray })],
  ['deviceLoss: the options', () => deviceLoss(logits, { ...router, devices: 2, ...stray })],
  ['zLoss: the options', () => zLoss(logits, { ...router, ...stray })],
  ['megatronCapacity: the options', () => megatronCapacity(sizes, { factor: 1, ...stray })],
  ['deepspeedCapacity: the options', () => deepspeedCapacity(sizes, { factor: 1, ...stray })],
  ['tutelCapacity: the options', () => tutelCapacity(routing, { factor: 1, ...stray })],
  ['megablocksCapacity: the options', () => megablocksCapacity(routing, { factor: 1, ...stray })],
  ['flaxformerCapacity: the options', () => flaxformerCapacity(sizes, { factor: 1, ...stray })],
  ['stMoeCapacity: the options', () => stMoeCapacity(sizes, { factor: 1, ...stray })],
  ['switchCapacity: the options', () => switchCapacity(sizes, { factor: 1, ...stray })],
  ['megatronRankCapacity: the options', () => megatronRankCapacity(sizes, { factor: 1, ranks: 2, ...stray })],
  [
    'applyCapacity: the options',
    () => applyCapacity(routing, { capacity: 1, order: new Int32Array(4), ...stray }),
  ],
  ['renormalize: the options', () => renormalize(routing, stray)],
  ['bipRouter: the options', () => bipRouter(router, stray)],
  ['bipBalance: the options', () => bipBalance(stray)],
  ['quantileBalance: the options', () => quantileBalance(stray)],
  ['histogramQuantileBalance: the options', () => histogramQuantileBalance(stray)],
  ['expertChoice: the options', () => expertChoice({ numExperts, capacity: 1, ...stray })],
  ['reluRouter: the options', () => reluRouter({ numExperts, ...stray })],
  ['sparsityController: the options', () => sparsityController({ numExperts, topK, ...stray })],
  ['leakageBound: the shape', () => leakageBound({ numExperts, topK, ...stray })],
  ['flopsOf: the options', () => flopsOf(tinyNemotronH, { tokens: 1, ...stray })],
  ['flaxformerGroups: the options', () => flaxformerGroups(8, { mostTokens: 4, numExperts, ...stray })],
  [
    'fromHuggingFaceConfig: the options',
    () => fromHuggingFaceConfig(publishedModels['olmoe-1b-7b'].config, stray),
  ],
  ['sinkhorn: the options', () => sinkhorn({ numExperts, topK, ...stray })],
  ['topP: the options', () => topP({ numExperts, threshold: 0.5, ...stray })],
  ['baseLayer: the options', () => baseLayer({ numExperts, ...stray })],
  ['noisyTopK: the options', () => noisyTopK({ ...noisy, ...stray })],
  ['sparseMixer: the options', () => sparseMixer({ numExperts, jitter: 0.1, ...stray })],
  ['sparseMixerTraining: the options', () => sparseMixerTraining({ numExperts, jitter: 0.1, ...stray })],
  ['longcat: the options', () => longcat({ numReal: 2, numZero: 2, topK, scale: 1, ...stray })],
  ['moduloHashTable: the options', () => moduloHashTable({ ...table, ...stray })],
  ['randomHashTable: the options', () => randomHashTable({ ...table, random: streams(1), ...stray })],
  ['cosineLogits: the weights', () => cosineLogits(batch.hidden, { ...cosine, ...stray }, 2)],
  ['topAny: the gate', () => topAny({ ...gate, ...stray })(batch, logits, context)],
  ['topAnyEvaluation: the gate', () => topAnyEvaluation({ ...gate, ...stray })(batch, logits, context)],
  ['gaussian: the options', () => gaussian({ numExperts, ...stray })],
  ['domains: the options', () => domains({ numExperts, ...stray })],
  ['hiddenDomains: the options', () => hiddenDomains({ hiddenSize: 4, ...stray })],
  [
    'simulate: the setup',
    () =>
      simulate({
        router,
        balance: noBalance,
        workload: gaussian({ numExperts }),
        tokensPerStep: 1,
        ...stray,
      }).next(),
  ],
  ['layerTensors: the options', () => layerTensors(randomWeights(layer, streams(1)), layer, stray)],
  [
    'readLayerWeights: the options',
    () => readLayerWeights({ tensors: new Map(), metadata: {} }, layer, stray),
  ],
  ['placeExperts: the cluster', () => placeExperts([1, 2, 3, 4], { ...cluster, ...stray })],
  ['rebalance: the options', () => rebalance(loads, { ...migrating, ...stray }).next()],
  ['memoryOf: the formats', () => memoryOf(tinyNemotronH, stray)],
  ['largestBatch: the options', () => largestBatch(memory, hardware.h200, { contextTokens: 1, ...stray })],
  ['stageTraffic: the options', () => stageTraffic(tinyNemotronH, alone, { tokens: 1, ...stray })],
  ['stageMemory: the layout', () => stageMemory(tinyNemotronH, { ...alone, ...stray })],
  [
    'allToAllSeconds: the options',
    () => allToAllSeconds({ bytes: new Float64Array(4), hardware: hardware.h200, ...stray }),
  ],
  ['moeLayerCost: the setup', () => moeLayerCost(routing, { ...layerSetup, ...stray })],
  ['loadsOnRanks: the setup', () => loadsOnRanks([[1, 1]], { topK: 1, ranks: 1, ...stray })],
  [
    'expertParallelDecode: the setup',
    () => expertParallelDecode({ ...decode, ranks: 1, batchPerRank: 1, ...stray }),
  ],
  [
    'expertParallelDecode: the setup',
    () => sweepExpertParallel({ ...decode, ranks: [1], batches: [1], ...stray }),
  ],
])('%s must have no other field', (who, call) => {
  expect(call).toThrow(InputError)
  expect(call).toThrow(`${who} must have only the fields of its kind, got "oops". Correct or remove it.`)
})

test('losses take a router spread in, and the options of other losses of the same router', () => {
  const shared = { ...router, softmaxOrder: 'beforeTopK', epsilon: 0, devices: 2, coefficient: 2 } as const
  expect(auxLoss(logits, shared).value).toBeCloseTo(2, 6)
})
