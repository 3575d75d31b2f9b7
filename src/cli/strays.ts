import { demandUsage, flag, type Given } from './given.js'

/** Options of `simulate` that make or change what is drawn. */
const drawn = [
  'preset',
  'assume',
  'experts',
  'topK',
  'score',
  'groups',
  'topGroups',
  'workload',
  'skew',
  'sequenceLength',
  'preference',
]

/** Options that only have a meaning beside another one: left without it, someone expects what will not happen. */
export function refuseStrays(given: Given): void {
  const stray = (names: readonly string[], holds: boolean, rule: string): void => {
    const found = names.find((name) => given[name] !== undefined)
    const remedy = 'Leave out one of the two.'
    demandUsage(
      holds || found === undefined,
      `simulate: ${rule}`,
      found === undefined ? '' : flag(found),
      remedy,
    )
  }
  const { workload = 'gaussian', rule = 'sign' } = given
  stray(drawn, given.trace === undefined, '--trace brings its own router and tokens')
  stray(['skew'], workload === 'gaussian', '--workload gaussian is what has a skew')
  stray(['sequenceLength', 'preference'], workload === 'domains', '--workload domains is what has sequences')
  stray(['drop'], given.capacityFactor !== undefined, '--capacity-factor is what makes room run out')
  stray(['overwrite'], given.out !== undefined, '--out is what names a file to replace')
  stray(['unit'], rule === 'proportional', '--rule proportional is what has a unit')
  stray(['rate', 'center', 'updateEvery'], rule !== 'none', '--rule none moves no bias')
}
