import type { PublishedFigure, PublishedModel } from '../index.js'
import { grouped } from './table.js'

type Sum = PublishedModel['total']['as'][number] | NonNullable<PublishedModel['active']>['as'][number]

const sums: Readonly<Record<Sum, string>> = {
  total: 'the sum',
  totalWithMtp: 'the sum with MTP blocks',
  totalNonEmbedding: 'the sum without embedding and head',
  totalWithMtpNonEmbedding: 'the sum with MTP blocks, without embedding and head',
  backbone: 'the backbone',
  withHead: 'the backbone with head',
  withEmbedding: 'the backbone with head and embedding',
}

/** '31.6B'. */
export const billions = ({ billions }: PublishedFigure<Sum>): string => `${billions}B`

/** What a model's makers publish, and how it compares with ours, in sentences. */
export function describePublished({ total, active, publishedIn, exact, note }: PublishedModel): string {
  const figures = [
    `Published in ${publishedIn}:`,
    `  total ${billions(total)}, ${verdict(total)}.`,
    ...(active ? [`  active ${billions(active)}, ${verdict(active)}.`] : []),
    ...(exact ? [`A checkpoint holds ${grouped(exact.total)}: ${sumInWords(exact.sum)}.`] : []),
    ...(note ? [note] : []),
  ]
  return `${figures.join('\n')}\n`
}

function verdict({ verdict, as, why }: PublishedFigure<Sum>): string {
  const ours = as.map((sum) => sums[sum]).join(' or ')
  if (verdict === 'rounds') return `${ours} rounded`
  if (verdict === 'truncates') return why ?? `${ours} truncated`
  return why === undefined ? 'none of ours' : `none of ours: ${why}`
}

/** 'total+mtp' in words. */
const sumInWords = (sum: string): string =>
  sum.replace(/^total|[+-][^+-]+/g, (term) => (Object.hasOwn(terms, term) ? terms[term] : ` ${term}`))

const terms: Readonly<Record<string, string>> = {
  total: 'the sum',
  '+mtp': ' with MTP blocks',
  '-routerBias': ' without router bias',
  '-routerBias(all)': ' without any router bias',
  '+embedAndHeadCopies': ' and their copies of embedding and head',
  '+delta': ' and what is told below',
  '+extra': ' and what is told below',
}
