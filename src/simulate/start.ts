import type { Balance } from '../balance/protocol.js'
import type { CapacityPolicy } from '../capacity/protocol.js'
import { demandNothingElse, demandWhole } from '../errors.js'
import { type Streams, streams } from '../random.js'
import { asRouter } from '../router/as-router.js'
import { resolveRouter } from '../router/config.js'
import type { Batch, Router } from '../router/protocol.js'
import { type StepLayer, stepByProtocol, stepInKernel } from './layer-step.js'
import type { Setup } from './setup.js'

/** A setup checked and made ready: what each step needs. */
export interface World<State> {
  readonly balance: Balance<State>
  readonly stepLayer: StepLayer
  readonly random: Streams
  readonly tokensPerStep: number
  readonly layers: number
  readonly numExperts: number
  readonly updateEvery: number
}

/** Checks a setup. Throws an InputError on what cannot be simulated. */
export function start<State>(setup: Setup<State>): World<State> {
  const { router, balance, workload, tokensPerStep, layers = 1, seed = 0, ...others } = setup
  const { updateEvery = 1, capacity = dropless, steps, numExperts: declared, from: _, ...rest } = others
  demandNothingElse('simulate: the setup', rest)
  demandWhole('simulate: tokensPerStep', tokensPerStep, 1, 1 << 28, 'It is the tokens of one batch.')
  demandWhole('simulate: layers', layers, 1, 1 << 16, 'It is the number of MoE layers.')
  demandWhole('simulate: updateEvery', updateEvery, 1, 1 << 30, 'Use 1 to update the bias after every step.')
  if (steps !== undefined) {
    demandWhole('simulate: steps', steps, 0, Number.MAX_SAFE_INTEGER, 'Leave it out to go on for ever.')
  }
  const random = streams(seed)
  const world = { balance, random, tokensPerStep, layers, updateEvery }
  const own = typeof router === 'function' ? undefined : resolveRouter(router).numExperts
  const numExperts =
    declared ?? own ?? countExperts(workload({ step: 0, layer: 0, tokens: tokensPerStep, random }))
  const remedy =
    'Give that of the router, the workload and the capacity, where the first batch has no logits to count.'
  demandWhole('simulate: numExperts', numExperts, own ?? 1, own ?? 1 << 20, remedy)
  const byProtocol = stepByProtocol(workload, bounded(asRouter(router), capacity), numExperts)
  return { ...world, numExperts, stepLayer: stepInKernel(setup, byProtocol, numExperts) ?? byProtocol }
}

const dropless: CapacityPolicy = (routing) => routing

/** The same road with the capacity at its end. */
const bounded =
  (router: Router, capacity: CapacityPolicy): Router =>
  (batch, bias, context) =>
    capacity(router(batch, bias, context), context)

const countExperts = ({ tokens, logits }: Batch): number => (logits?.length ?? 0) / tokens
