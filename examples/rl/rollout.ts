// Answers sampled by an engine of its own: the core's typed arrays, in any number format.
import {
  concatenate,
  type Draws,
  exp,
  type FormatName,
  forwardLayer,
  log,
  type Precision,
  rounded,
  routeInPrecision,
  routerLogits,
  type Streams,
} from 'moesim'
import { type Policy, router, vocabulary } from './policy.js'
import { blur, looks, type Prompt, think, width } from './world.js'

/** The number formats of the router's stations, and of all other weights and activations; fp32 unless given. */
export interface Engine {
  readonly router: Precision
  readonly rest?: FormatName
}

/** T tokens, by look and then by sample; samples stand prompt after prompt. */
export interface Rollout {
  /** [T, D] what the model saw. */
  readonly hidden: Float32Array
  /** [T, K] */
  readonly experts: Int32Array
  /** [T] what it said, with what log probability, for which sample. */
  readonly said: Int32Array
  readonly logs: Float64Array
  readonly sampleOf: Int32Array
  /** [samples] */
  readonly right: boolean[]
  readonly thinking: number[]
}

/** What is seen of a question at a look, into a row of `hidden`. */
export function see({ places }: Policy, prompt: Prompt, look: number, noise: Draws, row: Float32Array): void {
  for (let i = 0; i < width; i++) {
    row[i] = prompt.question[i] + blur(look) * noise.normal() + places[look * width + i]
  }
}

/** `count` answers to each prompt. */
export function rollOut(
  policy: Policy,
  prompts: readonly Prompt[],
  count: number,
  engine: Engine,
  random: Streams,
): Rollout {
  const run = started(policy, engine)
  const all = prompts.length * count
  const right = new Array<boolean>(all).fill(false)
  const thinking = new Array<number>(all).fill(looks)
  const parts: Omit<Rollout, 'right' | 'thinking'>[] = []
  let open = Int32Array.from({ length: all }, (_, sample) => sample)
  for (let look = 0; look < looks && open.length > 0; look++) {
    const hidden = new Float32Array(open.length * width)
    const noise = random('looks', look)
    open.forEach((sample, row) => {
      const prompt = prompts[Math.floor(sample / count)]
      see(policy, prompt, look, noise.at(sample), hidden.subarray(row * width, (row + 1) * width))
    })
    const { logits, experts } = run(hidden)
    const draws = random('sampling', look)
    const said = new Int32Array(open.length)
    const logs = Float64Array.from(open, (sample, row) => {
      const tokens = logSoftmax(logits.subarray(row * vocabulary, (row + 1) * vocabulary))
      said[row] = sampled(tokens, draws.at(sample))
      if (said[row] !== think) {
        right[sample] = said[row] === prompts[Math.floor(sample / count)].answer
        thinking[sample] = look
      }
      return tokens[said[row]]
    })
    parts.push({ hidden, experts, said, logs, sampleOf: open })
    open = open.filter((_, row) => said[row] === think)
  }
  return {
    hidden: concatenate(parts.map((part) => part.hidden)),
    experts: concatenate(parts.map((part) => part.experts)),
    said: concatenate(parts.map((part) => part.said)),
    logs: Float64Array.from(parts.flatMap((part) => [...part.logs])),
    sampleOf: concatenate(parts.map((part) => part.sampleOf)),
    right,
    thinking,
  }
}

/** The model of this moment in an engine: hidden states [T, D] in, logits [T, vocabulary] and routing out. */
function started({ layer, head }: Policy, { router: precision, rest = 'fp32' }: Engine) {
  const { router: gate, correctionBias, ...experts } = layer.weights()
  const stored = Object.entries(experts).map(([name, values]) => [name, rounded(values, rest)])
  const weights = { router: gate, correctionBias, ...Object.fromEntries(stored) }
  const matrix = rounded(head.dataSync() as Float32Array, rest)
  return (hidden: Float32Array): { logits: Float64Array; experts: Int32Array } => {
    const read = rounded(hidden, rest)
    const gateLogits = routerLogits(read, gate!, router.numExperts)
    const routing = routeInPrecision(gateLogits, router, precision, correctionBias)
    const added = rounded(forwardLayer(read, routing, weights, layer.config), rest)
    const states = rounded(
      read.map((value, i) => value + added[i]),
      rest,
    )
    const logits = new Float64Array((states.length / width) * vocabulary)
    states.forEach((value, i) => {
      const row = Math.floor(i / width) * vocabulary
      const from = (i % width) * vocabulary
      for (let token = 0; token < vocabulary; token++) logits[row + token] += value * matrix[from + token]
    })
    return { logits, experts: routing.experts }
  }
}

function logSoftmax(logits: Float64Array): Float64Array {
  const largest = Math.max(...logits)
  const norm = largest + log(logits.reduce((sum, logit) => sum + exp(logit - largest), 0))
  return logits.map((logit) => logit - norm)
}

function sampled(logs: Float64Array, draws: Draws): number {
  let left = draws.uniform()
  for (let token = 0; token < logs.length - 1; token++) {
    left -= exp(logs[token])
    if (left < 0) return token
  }
  return logs.length - 1
}
