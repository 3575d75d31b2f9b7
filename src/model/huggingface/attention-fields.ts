import { demand } from '../../errors.js'
import type { Indexer } from '../kinds/attention.js'
import { flag, head, oneOf, type Source, size, sizeIf } from './fields.js'

export function heads(source: Source): { numHeads: number; numKeyValueHeads: number; headDim: number } {
  const numHeads = size(source, 'heads')
  const numKeyValueHeads = size(source, 'keyValueHeads', numHeads)
  const headDim = sizeIf(source, 'headDim')
  if (headDim !== undefined) return { numHeads, numKeyValueHeads, headDim }
  const width = size(source, 'hiddenSize')
  const rule = `${head}the hidden size must be a multiple of the number of heads, ${numHeads}`
  demand(width % numHeads === 0, rule, width, 'State head_dim where it is not.')
  return { numHeads, numKeyValueHeads, headDim: width / numHeads }
}

/** A model type says whether queries and keys have norms; a config may switch them off, or say how wide they are. */
export function qkNorm(source: Source): 'perHead' | 'fullWidth' | undefined {
  const { qkNorm: norm, useQkNorm = true } = source.constants
  if (norm === undefined || !flag(source, 'useQkNorm', useQkNorm === true)) return undefined
  const type = oneOf(
    source,
    'qkNormType',
    ['per_head', 'per_layer'],
    norm === 'perHead' ? 'per_head' : 'per_layer',
  )
  return type === 'per_head' ? 'perHead' : 'fullWidth'
}

/** It chooses tokens, or blocks of them. */
export function indexer(source: Source): Indexer | undefined {
  const numHeads = sizeIf(source, 'indexHeads')
  if (numHeads === undefined || size(source, 'indexed', 1, 0) === 0) return undefined
  const topK = size(
    source,
    'indexTopK',
    size(source, 'indexBlocks', 0, 0) * size(source, 'indexBlockSize', 1),
    0,
  )
  return { numHeads, headDim: size(source, 'indexDim'), ...(topK > 0 && { topK }) }
}
