import type { ModelConfig } from '../config.js'
import { countParameters } from '../parameters.js'
import { type CheckpointCount, countCheckpoint, type TensorEntry } from './count.js'

/** A part as the config has it and as the checkpoint stores it. */
export interface ComparedPart {
  readonly part: string
  readonly config: number
  readonly checkpoint: number
  /** What explains a difference; absent where the two agree, and where nothing that is known explains it. */
  readonly why?: string
}

export interface CheckpointComparison extends CheckpointCount {
  /** The parts of the text model, as `countParameters` names them, and then what a checkpoint holds beside them. */
  readonly compared: readonly ComparedPart[]
  /** Every difference has its reason, and no weights are packed in a way that the header does not tell. */
  readonly explained: boolean
}

/**
 * Compares what a checkpoint stores with what the config of its model says, part by part, and explains differences that
 * are known: stored blocks of multi-token prediction and their copies of embedding and head, scales of quantized weights,
 * correction biases left out, a tied head stored or an untied one left out, towers of other modalities, buffers.
 */
export function compareCheckpoint(model: ModelConfig, tensors: Iterable<TensorEntry>): CheckpointComparison {
  const { parts, mtp } = countParameters(model)
  const entries = [...tensors]
  const checkpoint = countCheckpoint(model, entries)
  const told = new Map<string, number>(Object.entries(parts).map(([part, { total }]) => [part, total]))
  if (mtp > 0) told.set('mtp', mtp)
  const stored = Object.keys(checkpoint.parts)
  const names = [...new Set([...told.keys(), ...stored])].sort((a, b) => place(a) - place(b))
  const blocks = entries.some(({ name }) => ofBlocks.test(name))
  const compared = names.map((part) => {
    const [config, stored] = [told.get(part) ?? 0, checkpoint.parts[part] ?? 0]
    const why = part === 'mtp' && stored > 0 && !blocks ? undefined : reason(part, config, stored)
    return { part, config, checkpoint: stored, ...(why !== undefined && { why }) }
  })
  const explained = compared.every(
    ({ config, checkpoint, why }) => config === checkpoint || why !== undefined,
  )
  return { ...checkpoint, compared, explained: explained && checkpoint.packed.length === 0 }
}

/** Why a checkpoint may have more, or nothing, of a part. */
const reasons: Readonly<Record<string, { readonly more?: string; readonly none?: string }>> = {
  routerBias: { none: 'the checkpoint leaves the correction biases out' },
  lmHead: {
    more: 'tied to the embedding, and stored all the same',
    none: 'not stored: the embedding serves as the head',
  },
  mtp: {
    more: 'blocks for multi-token prediction that the config does not tell of',
    none: 'the checkpoint leaves the blocks for multi-token prediction out',
  },
  mtpCopies: { more: 'copies of embedding and head in the blocks for multi-token prediction' },
  scales: { more: 'scales of quantized weights' },
  buffers: { more: 'computed or looked up, not learned' },
  otherModalities: { more: 'towers of other modalities' },
}

/** Parts of the text model stand before what is beside them. */
const beside = ['mtp', 'mtpCopies', 'scales', 'buffers', 'otherModalities', 'unknown']
const place = (part: string): number => beside.indexOf(part)

function reason(part: string, config: number, checkpoint: number): string | undefined {
  const { more, none } = Object.hasOwn(reasons, part) ? reasons[part] : {}
  return config === 0 && checkpoint > 0 ? more : checkpoint === 0 && config > 0 ? none : undefined
}

/** A layer after the last is a block for multi-token prediction if it joins a hidden state with an embedding. */
const ofBlocks = /(?:^|\.)mtp[._]|eh_proj|nextn/
