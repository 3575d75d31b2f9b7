import {
  auxLoss,
  biasBalance,
  coActivationShares,
  communicationLoss,
  concentration,
  cosineSchedule,
  deepspeedCapacity,
  deviceLoss,
  entropyLoss,
  expertUsage,
  flaxformerCapacity,
  forcedBias,
  globalAuxLoss,
  gshardLoss,
  gshardTop2Sampled,
  hashRouter,
  InputError,
  imbalanceScore,
  importanceLoss,
  linearSchedule,
  loadImportanceLoss,
  longcatBalance,
  megatronCapacity,
  moduloHashTable,
  multiplicativeBalance,
  noisyTopKLoss,
  pooledAuxLoss,
  type Router,
  type RouterConfig,
  randomHashTable,
  randomRouting,
  rankPenaltyBalance,
  reluRegularizer,
  roundRobin,
  route,
  sequenceAuxLoss,
  sinkhorn,
  smebuBalance,
  sparsityController,
  stMoeCapacity,
  streams,
  switchLoss,
  topAnyEvaluation,
  wsdSchedule,
  zLoss,
} from 'moesim'
import { describe, expect, test } from 'vitest'

const router: RouterConfig = { numExperts: 4, topK: 2, scoreFunction: 'sigmoid', normalize: true, scale: 1 }
const { numExperts, topK } = router
const sizes = { tokens: 8, numExperts, topK }
const context = { step: 0, layer: 0, tokens: 1, random: streams(1) }
const run = (from: Router, batch: object): unknown =>
  from({ tokens: 1, tokenIds: Int32Array.of(0), ...batch }, new Float32Array(numExperts), context)

describe('what is no number of its kind is refused', () => {
  test.each([Number.NaN, 1.5, -1])('a least capacity of %d', (least) => {
    for (const rule of [megatronCapacity, deepspeedCapacity, flaxformerCapacity, stMoeCapacity]) {
      const message = `${rule.name}: least must be a whole number of at least 0, got ${least}`
      expect(() => rule(sizes, { factor: 1, least })).toThrow(message)
    }
  })

  test.each([0, 9, 1.5])('the %d busiest of 3 experts', (top) => {
    expect(() => concentration([1, 2, 3], top)).toThrow(
      'concentration: top must be a whole number from 1 to 3',
    )
  })

  test.each([0, -1, Number.NaN, Infinity])('the use of a room of %d', (capacity) => {
    const routing = route(new Float32Array(8), router)
    expect(() => expertUsage(routing, capacity)).toThrow(
      'expertUsage: capacity must be a finite number above 0',
    )
  })

  test('the imbalance of no expert, and shares of half a matrix', () => {
    expect(() => imbalanceScore([], 1)).toThrow('imbalanceScore: load must have an expert')
    expect(() => coActivationShares(new Int32Array(8), 4)).toThrow(
      'coActivationShares: both must be [E, E], 4 × 4',
    )
  })

  test.each([0, 5, 1.5, Number.NaN])('a topK of %d beside a load or experts that are given', (odd) => {
    const logits = new Float32Array(8)
    const options = { ...router, topK: odd }
    const message = 'auxLoss: topK must be a whole number from 1 to 4'
    expect(() => auxLoss(logits, { ...options, load: [1, 1, 1, 1] })).toThrow(message)
    expect(() => auxLoss(logits, { ...options, experts: Int32Array.of(0, 1, 2, 3) })).toThrow(message)
    expect(() => auxLoss(logits, options)).toThrow(message)
  })
})

// In plain JavaScript, an argument is easily forgotten.
describe('no options at all are refused by what they must hold', () => {
  const logits = new Float32Array(8)
  test.each<[rule: (options: never) => unknown, message: string]>([
    [biasBalance, 'biasBalance: rate must be a finite number, 0 or more, or a schedule'],
    [multiplicativeBalance, 'biasBalance: rate must be'],
    [longcatBalance, 'longcatBalance: rate must be'],
    [smebuBalance, 'smebuBalance: rate must be'],
    [rankPenaltyBalance, 'rankPenaltyBalance: ranks must be a whole number'],
    [linearSchedule, 'linearSchedule: from must be a finite number'],
    [cosineSchedule, 'cosineSchedule: from must be a finite number'],
    [wsdSchedule, 'wsdSchedule: stable must be a whole number'],
    [sparsityController, 'sparsityController: numExperts must be a whole number'],
    [(options) => pooledAuxLoss([logits], options), 'pooledAuxLoss: numExperts must be a whole number'],
    [(options) => gshardLoss(logits, options), 'switchLoss: numExperts must be a whole number'],
    ...[
      auxLoss,
      communicationLoss,
      deviceLoss,
      entropyLoss,
      globalAuxLoss,
      importanceLoss,
      loadImportanceLoss,
      noisyTopKLoss,
      reluRegularizer,
      sequenceAuxLoss,
      switchLoss,
      zLoss,
    ].map((loss): [rule: (options: never) => unknown, message: string] => [
      (options) => loss(logits, options),
      `${loss.name}: numExperts must be a whole number`,
    ]),
  ])('%o: %s', (rule, message) => {
    for (const nothing of [undefined, null]) {
      expect(() => rule(nothing as never)).toThrow(InputError)
      expect(() => rule(nothing as never)).toThrow(message)
    }
  })
})

describe('a refusal is headed by the function that was called', () => {
  const table = moduloHashTable({ vocabulary: 1, numExperts, topK })

  test.each<[who: string, from: Router]>([
    ['randomRouting', randomRouting(router)],
    ['forcedBias', forcedBias(router, 1)],
    ['roundRobin', roundRobin(router)],
    ['hashRouter', hashRouter(router, table)],
    ['sinkhorn', sinkhorn({ numExperts, topK })],
    ['gshardTop2Sampled', gshardTop2Sampled(numExperts)],
  ])('%s, of logits that are NaN or too few', (who, from) => {
    const odd = Float32Array.of(0, Number.NaN, 0, 0)
    expect(() => run(from, { logits: odd })).toThrow(`${who}: the logit of token 0 for expert 1 must be`)
    const few = `${who}: logits must hold 1 tokens × 4 experts`
    expect(() => run(from, { logits: new Float32Array(3) })).toThrow(few)
  })

  test('topAnyEvaluation, of its gate and its hidden states', () => {
    const gate = { weight: new Float32Array(8).fill(1), thresholds: new Float32Array(4) }
    const hidden = Float32Array.of(1, 2)
    const refused = (change: object, batch: object): (() => unknown) => {
      return () => run(topAnyEvaluation({ ...gate, ...change }), batch)
    }
    expect(refused({ weight: new Float32Array(3) }, { hidden })).toThrow('topAnyEvaluation: weight must hold')
    expect(refused({ scale: 0 }, { hidden })).toThrow('topAnyEvaluation: scale must be')
    expect(refused({}, {})).toThrow('topAnyEvaluation: the workload must give hidden states')
    expect(() => run(topAnyEvaluation([]), { hidden })).toThrow('topAnyEvaluation: ')
  })

  test('the makers of hash tables', () => {
    const options = { vocabulary: 0, numExperts, topK }
    expect(() => moduloHashTable(options)).toThrow('moduloHashTable: vocabulary must be')
    expect(() => randomHashTable({ ...options, random: streams(1) })).toThrow(
      'randomHashTable: vocabulary must be',
    )
  })
})
