// One model from fine-tuning to the end of its RL stage, and what is measured on the way.
import * as tf from '@tensorflow/tfjs'
import { expectedMaxViolation, loadOf, maxViolation, routeLayer, type Streams, streams } from 'moesim'
import { curriculum } from './grpo.js'
import { dispose, newPolicy, type Policy, router } from './policy.js'
import { engines, type Replay, replayOf } from './replay.js'
import { mean } from './rewards.js'
import { type Rollout, rollOut } from './rollout.js'
import { imitate, reinforce } from './train.js'
import { type Prompt, type World, worldOf } from './world.js'

const batch = 512
const imitations = 80
/** Steps of RL on prompts of domain A, and then of domain B. */
const steps = [8, 20] as const
const prompts = 128
const samples = 16
const updateRate = 0.02

/** Shares of right answers to prompts never trained on, of domain A and B, and how often they were looked at again. */
interface Exam {
  readonly right: readonly [a: number, b: number]
  readonly thinking: readonly [a: number, b: number]
}

export interface Figures {
  /** After fine-tuning, after RL on A, after RL on B. */
  readonly exams: readonly Exam[]
  /** MaxVio of the last 3 steps on A, of the first on B, of the last 3 on B, and of those under the bias that A had left. */
  readonly onA: number
  readonly firstOnB: number
  readonly onB: number
  readonly stayed: number
  /** What chance would give, were all tokens independent, or only the prompts. */
  readonly chance: number
  readonly chanceOfPrompts: number
  /** Of answers to B after RL on A, by the engine of the rollout. */
  readonly replay: Readonly<Record<string, Replay>>
}

/** A model of its own with its world, and its random numbers by stage and step. */
interface Run {
  readonly policy: Policy
  readonly world: World
  readonly random: (stage: string, step?: number) => Streams
  readonly progress: (what: string) => void
}

export function runStages(seed: number, progress: (what: string) => void): Figures {
  const named = streams(seed)
  const random = (stage: string, step = 0): Streams => {
    return (name, look) => named(`${stage}: ${name}`, look, step)
  }
  const run = { policy: newPolicy(seed, updateRate), world: worldOf(seed), random, progress }
  fineTune(run)
  const tuned = examine(run)
  run.policy.layer.freeze('router')
  const optimizer = tf.train.adam(2e-3)
  const onA = practise(run, optimizer, 0)
  const between = examine(run)
  const replay = replays(run)
  const bias = run.policy.layer.bias
  const onB = practise(run, optimizer, 1)
  const last = onB.slice(-3)
  const figures = {
    exams: [tuned, between, examine(run)],
    onA: mean(onA.slice(-3).map(({ violation }) => violation)),
    firstOnB: onB[0].violation,
    onB: mean(last.map(({ violation }) => violation)),
    stayed: mean(last.map(({ rollouts }) => maxViolation(loadUnder(bias, run.policy, rollouts)))),
    chance: expectedMaxViolation({ ...router, tokens: Math.round(mean(last.map(tokensOf))) }),
    chanceOfPrompts: expectedMaxViolation({ ...router, tokens: prompts }),
    replay,
  }
  optimizer.dispose()
  dispose(run.policy)
  return figures
}

/** Answers to imitate, two of three of domain A. */
function fineTune({ policy, world, random, progress }: Run): void {
  const optimizer = tf.train.adam(1e-2)
  for (let step = 0; step < imitations; step++) {
    progress(`fine-tuning ${step + 1} of ${imitations}`)
    const asked = Array.from({ length: batch }, (_, i) => world(i % 3 === 0 ? 1 : 0, (step + 8) * batch + i))
    imitate(policy, optimizer, asked, random('imitation', step))
  }
  optimizer.dispose()
}

interface Practice {
  readonly violation: number
  readonly rollouts: readonly Rollout[]
}

/** RL on a domain. The prompts of a step are easy at first and harder later, by pass rates measured before it. */
function practise(run: Run, optimizer: tf.Optimizer, domain: 0 | 1): Practice[] {
  const { policy, random, progress } = run
  const pool = promptsOf(run, domain, 0, 512)
  const tried = rollOut(policy, pool, 8, { router: {} }, random('pass rates', domain))
  const passRates = pool.map((_, i) => mean(tried.right.slice(8 * i, 8 * (i + 1)).map(Number)))
  return Array.from({ length: steps[domain] }, (_, step) => {
    progress(`RL on ${'AB'[domain]} ${step + 1} of ${steps[domain]}`)
    const target = 0.8 - (0.3 * step) / steps[domain]
    const draws = random('curriculum', step)(`domain ${domain}`)
    const chosen = curriculum(passRates, { target, width: 0.15, count: prompts }, draws)
    const rollouts = [0, 1].map((half) => {
      const asked = chosen.filter((_, i) => i % 2 === half).map((index) => pool[index])
      return rollOut(policy, asked, samples, engines['router bf16'], random(`RL ${domain}, ${half}`, step))
    })
    return { violation: maxViolation(reinforce(policy, optimizer, rollouts, samples)), rollouts }
  })
}

const tokensOf = ({ rollouts }: Practice): number => rollouts.reduce((sum, { said }) => sum + said.length, 0)

/** The load, had the bias been this: the router is frozen, so that nothing else would be different. */
function loadUnder(bias: Float32Array, { layer }: Policy, rollouts: readonly Rollout[]): Int32Array {
  const weights = { ...layer.weights(), correctionBias: bias }
  const loads = rollouts.map(({ hidden }) => loadOf(routeLayer(hidden, weights, layer.config)))
  return loads[0].map((_, e) => loads.reduce((sum, load) => sum + load[e], 0))
}

const promptsOf = ({ world }: Run, domain: number, first: number, count: number): Prompt[] =>
  Array.from({ length: count }, (_, i) => world(domain, first + i))

const unseen = (run: Run, domain: number): Prompt[] => promptsOf(run, domain, 1 << 20, 256)

function examine(run: Run): Exam {
  const [a, b] = [0, 1].map((domain) =>
    rollOut(run.policy, unseen(run, domain), 8, { router: {} }, run.random('exam', domain)),
  )
  return {
    right: [mean(a.right.map(Number)), mean(b.right.map(Number))],
    thinking: [mean(a.thinking), mean(b.thinking)],
  }
}

function replays(run: Run): Record<string, Replay> {
  const asked = unseen(run, 1)
  const measured = Object.entries(engines).map(([name, engine]) => {
    run.progress(`replay, ${name}`)
    return [name, replayOf(run.policy, rollOut(run.policy, asked, 8, engine, run.random('replay')))]
  })
  return Object.fromEntries(measured)
}
