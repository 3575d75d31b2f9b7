import { expectedMaxViolation, type ReplayedLayer, type Trace } from '../index.js'
import { type Canvas, heatMap, legend } from './heatmap.js'
import { count, percent, table } from './table.js'

const weightTolerance = 1e-5

/** Whether our routing of a layer is the recorded one: every set of experts equal, weights within 1e-5. */
export const agrees = ({ agreement }: ReplayedLayer): boolean =>
  agreement.differingTokens === 0 && agreement.largestWeightDifference <= weightTolerance

/** A replayed trace as text. */
export function describeTrace(trace: Trace, layers: readonly ReplayedLayer[], canvas: Canvas): string {
  const { tokens, router, domainNames } = trace
  const { numExperts, topK } = router
  const header = [
    `${count(tokens, 'token')} of ${count(domainNames.length, 'domain')}`,
    `${count(layers.length, 'MoE layer')}: ${numExperts} experts, top ${topK}`,
  ].join('; ')
  const indices = layers.map(({ index }) => `layer ${index}`)
  const rows = figures(trace).map(([name, show]) => [name, ...layers.map(show)])
  const domains = domainNames.map((name, d) => [
    name,
    ...layers.map(
      ({ domains: { [d]: own } }) =>
        `${own.distinctExperts} / #${own.topExpert}, ${percent(own.topShare)} / ${own.maxViolation.toFixed(2)}`,
    ),
    expectedMaxViolation({ tokens: layers[0].domains[d].tokens, numExperts, topK }).toFixed(2),
  ])
  const maps = layers.map(({ index, load }) => `layer ${index}\n${heatMap(load, canvas)}`)
  return [
    `${header}\n`,
    table(['', ...indices], rows),
    `By domain: distinct experts / top expert, share of tokens / MaxVio\n${table(['', ...indices, 'MaxVio by chance'], domains)}`,
    `Load of each expert\n${maps.join('')}${legend(canvas)}`,
    verdict(layers),
  ].join('\n')
}

/** One row of figures: its name, and what it shows of a layer. */
type Row = readonly [name: string, show: (layer: ReplayedLayer, place: number) => string]

function figures({ router, layers }: Trace): Row[] {
  const { numExperts: E, topK: K } = router
  const extreme = (place: number, better: (a: number, b: number) => number): string =>
    layers[place].bias.reduce((best, value) => better(best, value)).toFixed(3)
  return [
    ['tokens whose experts differ from the recorded', ({ agreement }) => String(agreement.differingTokens)],
    ['largest difference of a weight', ({ agreement }) => agreement.largestWeightDifference.toExponential(1)],
    ['MaxVio', ({ balance }) => balance.maxViolation.toFixed(2)],
    ['by chance', ({ chance }) => chance.maxViolation.toFixed(2)],
    ['coefficient of variation', ({ balance }) => balance.coefficientOfVariation.toFixed(3)],
    ['by chance', ({ chance }) => chance.coefficientOfVariation.toFixed(3)],
    ['Gini', ({ balance }) => balance.gini.toFixed(3)],
    ['by chance', ({ chance }) => chance.gini.toFixed(3)],
    ['normalised entropy', ({ balance }) => balance.normalizedEntropy.toFixed(4)],
    ['by chance', ({ chance }) => chance.normalizedEntropy.toFixed(4)],
    ['experts unused', ({ balance }) => String(balance.deadExperts)],
    ['bias, least', (_, place) => extreme(place, Math.min)],
    ['bias, greatest', (_, place) => extreme(place, Math.max)],
    ['same first expert as the token before', ({ locality }) => percent(locality.firstRepeats)],
    ['same heaviest expert', ({ locality }) => percent(locality.heaviestRepeats)],
    ['by chance', ({ locality }) => percent(locality.firstRepeatsByChance)],
    ['share of experts kept from the token before', ({ locality }) => percent(locality.kept)],
    ['by chance', ({ locality }) => percent(locality.keptByChance)],
    [
      'mutual information of expert and domain, bits',
      ({ mutualInformation }) => mutualInformation.toFixed(3),
    ],
    [
      'experts most often chosen together',
      ({ companions: { pair, pairShare } }) => (pairShare > 0 ? pair.join(', ') : 'none'),
    ],
    ['share of tokens', ({ companions }) => percent(companions.pairShare)],
    ['by chance', () => percent((K * (K - 1)) / (E * (E - 1)))],
    [
      'surest companion, given',
      ({ companions: { given, other, conditional } }) => (conditional > 0 ? `${other} of ${given}` : 'none'),
    ],
    ['share of the given', ({ companions }) => companions.conditional.toFixed(2)],
    ['smallest gap between chosen and not chosen', ({ smallestGap }) => smallestGap.toExponential(2)],
    ['largest logit', ({ largestLogit }) => largestLogit.toFixed(2)],
  ]
}

function verdict(layers: readonly ReplayedLayer[]): string {
  const differing = layers.filter((layer) => !agrees(layer)).map(({ index }) => index)
  if (differing.length === 0)
    return 'The routing is the recorded one: every set of experts, every weight within 1e-5.\n'
  return `The routing is NOT the recorded one in layer ${differing.join(', ')}: see the first two rows.\n`
}

/** The figures as JSON, without the routing itself. */
export function traceToJson(trace: Trace, layers: readonly ReplayedLayer[]): string {
  const { tokens, domainNames, router } = trace
  const figures = layers.map(({ routing: _, load, ...rest }) => ({ ...rest, load: Array.from(load) }))
  return `${JSON.stringify({ tokens, domainNames, router, layers: figures }, null, 2)}\n`
}
