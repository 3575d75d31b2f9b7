import { demand, demandWhole } from '../errors.js'

/** A router that gives each token K of E experts. K may be a mean. */
export interface ExpertChoices {
  readonly numExperts: number
  readonly topK: number
}

/** Refuses sizes that no router has; `who` asks. K may be a mean, from 0 to E, for routers that choose a varying number. */
export function demandChoices(who: string, { numExperts, topK }: ExpertChoices): void {
  const name = 'It is the number of routed experts, such as 128.'
  demandWhole(`${who}: numExperts`, numExperts, 1, 1 << 20, name)
  demand(
    topK >= 0 && topK <= numExperts,
    `${who}: topK must be a number from 0 to numExperts = ${numExperts}`,
    topK,
    'It is how many a token chooses, or their mean.',
  )
}
