import { demand, demandNothingElse, demandWhole } from '../errors.js'
import { type ModelMemory, sequenceBytes } from '../model/memory.js'
import { expectedDistinctExperts } from './distinct-experts.js'
import { demandHardware, type Hardware } from './hardware.js'

/** Sequences that decode together, one token each, all at the same context (or their mean). */
export interface DecodeBatch {
  readonly batch: number
  readonly contextTokens: number
}

/** What one step moves between memory and the processors of one device. */
export interface DecodeBytes {
  /** Weights that any token reads. */
  readonly commonBytes: number
  /** Routed experts that some token reads, expected of fair routing. */
  readonly expertBytes: number
  /** Keys and values, read. */
  readonly cacheBytes: number
  /** Recurrent state, read and written. */
  readonly stateBytes: number
  readonly totalBytes: number
}

/**
 * Bytes of one decode step on one device that holds the whole model.
 * Left out: activations, the keys and values that the step writes, and that real tokens share experts (fewer are read).
 */
export function decodeBytes(model: ModelMemory, { batch, contextTokens }: DecodeBatch): DecodeBytes {
  checkBatch('decodeBytes', { batch, contextTokens })
  const expertBytes = model.experts.reduce(
    (sum, layer) =>
      sum + layer.layers * layer.expertBytes * expectedDistinctExperts({ ...layer, tokens: batch }),
    0,
  )
  const { commonBytes } = model
  const cacheBytes = batch * (sequenceBytes(model, contextTokens) - model.stateBytes)
  const stateBytes = 2 * batch * model.stateBytes
  const totalBytes = commonBytes + expertBytes + cacheBytes + stateBytes
  return { commonBytes, expertBytes, cacheBytes, stateBytes, totalBytes }
}

/**
 * The tokens a second that memory allows at most: B over the time to move the bytes of a step.
 *
 * An upper bound, no prediction: no kernel reads at the peak all the time, and prefill, scheduling, sampling and the
 * computation (`computeBoundTokensPerSecond`) take time of their own.
 */
export function memoryBoundTokensPerSecond(
  model: ModelMemory,
  hardware: Pick<Hardware, 'memoryBytesPerSecond'>,
  decode: DecodeBatch,
): number {
  demandHardware('memoryBoundTokensPerSecond', hardware, 'memoryBytesPerSecond')
  return (decode.batch * hardware.memoryBytesPerSecond) / decodeBytes(model, decode).totalBytes
}

/**
 * What `memoryBoundTokensPerSecond` tends to as the batch grows and weights no longer count, and as much of an upper bound;
 * Infinity without cache and state. Left out: that no memory holds so many sequences.
 */
export function largeBatchTokensPerSecond(
  model: ModelMemory,
  hardware: Pick<Hardware, 'memoryBytesPerSecond'>,
  contextTokens: number,
): number {
  checkBatch('largeBatchTokensPerSecond', { batch: 1, contextTokens })
  demandHardware('largeBatchTokensPerSecond', hardware, 'memoryBytesPerSecond')
  return hardware.memoryBytesPerSecond / (sequenceBytes(model, contextTokens) + model.stateBytes)
}

/** The tokens a second that computation allows at most: `flopsPerSecond` over two operations for each active weight. Left out: attention over the context. */
export function computeBoundTokensPerSecond(model: ModelMemory, flopsPerSecond: number): number {
  const holds = flopsPerSecond > 0 && flopsPerSecond < Infinity
  const rule = 'computeBoundTokensPerSecond: flopsPerSecond must be a finite number above 0'
  demand(holds, rule, flopsPerSecond, 'See flopsPerSecondIn.')
  return flopsPerSecond / (2 * activeParametersOf(model))
}

/** Weights that a token uses: the head counts, an embedding table of its own does not. */
export function activeParametersOf({ commonParameters, experts }: ModelMemory): number {
  return experts.reduce(
    (sum, { layers, topK, expertParameters }) => sum + layers * topK * expertParameters,
    commonParameters,
  )
}

/**
 * The most sequences whose cache and state fit beside the weights, where `usableShare` of the memory (0.9 unless given)
 * is theirs; 0 where the weights alone do not fit. Left out: activations, and pages that are half used.
 */
export function largestBatch(
  model: ModelMemory,
  hardware: Pick<Hardware, 'memoryBytes'>,
  {
    contextTokens,
    usableShare = 0.9,
    ...rest
  }: { readonly contextTokens: number; readonly usableShare?: number },
): number {
  demandNothingElse('largestBatch: the options', rest)
  checkBatch('largestBatch', { batch: 1, contextTokens })
  demandHardware('largestBatch', hardware, 'memoryBytes')
  const holds = usableShare > 0 && usableShare <= 1
  demand(holds, 'largestBatch: usableShare must be above 0, and 1 at most', usableShare, 'Use 0.9.')
  const room = usableShare * hardware.memoryBytes - model.weightBytes
  return Math.max(0, Math.floor(room / sequenceBytes(model, contextTokens)))
}

function checkBatch(who: string, { batch, contextTokens }: DecodeBatch): void {
  demandWhole(`${who}: batch`, batch, 1, 1e9, 'It is the sequences that decode together.')
  demandWhole(`${who}: contextTokens`, contextTokens, 0, 1e9, 'It is the tokens that a sequence has so far.')
}
