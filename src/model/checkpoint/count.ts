import { demand, demandWhole } from '../../errors.js'
import type { ModelConfig } from '../config.js'
import { tensorPart } from './tensor-part.js'

/** A stored tensor as the header of its file tells it. */
export interface TensorEntry {
  readonly name: string
  readonly dtype: string
  readonly shape: readonly number[]
}

export interface CheckpointCount {
  readonly tensors: number
  /** All numbers that are stored, scales and buffers included; weights that share a byte count each. */
  readonly numbers: number
  /** The same by dtype. */
  readonly dtypes: Readonly<Record<string, number>>
  /**
   * The same by part: the names of `countParameters`, and beside them `mtp`, `mtpCopies`, `scales`, `buffers`,
   * `otherModalities` and `unknown`. A part that the checkpoint lacks is absent.
   */
  readonly parts: Readonly<Record<string, number>>
  /** Names that belong to no part that is known, at most ten. */
  readonly unknown: readonly string[]
  /** Weights packed in whole numbers, at most ten: how many share one, their header does not say (GPTQ, AWQ, MLX). */
  readonly packed: readonly string[]
}

const mostNames = 10

/**
 * Counts what a checkpoint of this model stores, to the unit, from the headers of its files; `model` tells which layer is
 * what. Two values of four bits in a byte count as two: `F4`, the `_blocks` of MXFP4 (gpt-oss), and `U8` weights with
 * scales (NVFP4) or a map of values (bitsandbytes).
 *
 * Throws an InputError on a shape that is none, a name that stands twice, or 2^53 numbers or more.
 */
export function countCheckpoint(model: ModelConfig, tensors: Iterable<TensorEntry>): CheckpointCount {
  const entries = [...tensors]
  const names = new Set<string>()
  for (const { name } of entries) {
    const rule = 'countCheckpoint: a tensor must stand in one file, once'
    demand(!names.has(name), rule, name, 'Name every file once.')
    names.add(name)
  }
  const dtypes: Record<string, number> = {}
  const parts: Record<string, number> = {}
  const [unknown, packed]: string[][] = [[], []]
  let numbers = 0
  for (const entry of entries) {
    const { name, dtype } = entry
    const stored = numbersIn(entry, names)
    const part = partOf(entry, model)
    if (part === 'unknown') unknown.push(name)
    if (isPacked(entry)) packed.push(name)
    dtypes[dtype] = (dtypes[dtype] ?? 0) + stored
    parts[part] = (parts[part] ?? 0) + stored
    numbers += stored
  }
  const remedy = 'Check its shapes: past that, counts are no longer exact.'
  demandWhole('countCheckpoint: its numbers', numbers, 0, Number.MAX_SAFE_INTEGER, remedy)
  return {
    tensors: entries.length,
    numbers,
    dtypes,
    parts,
    unknown: unknown.slice(0, mostNames),
    packed: packed.slice(0, mostNames),
  }
}

/** Whole numbers are no weights unless weights are packed in them; those of one byte are weights of int8 or of four bits. */
function partOf(entry: TensorEntry, model: ModelConfig): string {
  const part = tensorPart(entry.name, model)
  return /^(?:[IU](?:16|32|64)|BOOL)$/.test(entry.dtype) && part !== 'scales' && !isPacked(entry)
    ? 'buffers'
    : part
}

const isPacked = ({ name, dtype }: TensorEntry): boolean =>
  /^[IU]32$/.test(dtype) && /(?:qweight|weight_packed|\.weight)$/.test(name)

function numbersIn({ name, dtype, shape }: TensorEntry, names: ReadonlySet<string>): number {
  const what = `countCheckpoint: each size of '${name.slice(0, 80)}'`
  for (const size of shape) demandWhole(what, size, 0, Number.MAX_SAFE_INTEGER, 'Read the header again.')
  const halves =
    dtype === 'U8' &&
    (/(?:_blocks|weight_packed)$/.test(name) || names.has(`${name}_scale`) || names.has(`${name}.quant_map`))
  return shape.reduce((product, size) => product * size, halves ? 2 : 1)
}
