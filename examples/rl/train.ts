// The two stages: answers to imitate, then rewards.
import * as tf from '@tensorflow/tfjs'
import type { Streams } from 'moesim'
import { groupAdvantages, maskedRatio } from './grpo.js'
import { logProbabilities, ofSaid, type Policy } from './policy.js'
import { lengthControlled } from './rewards.js'
import { type Rollout, see } from './rollout.js'
import { looks, type Prompt, think, width } from './world.js'

/** The gradients of several micro-batches, added up, make one step of the optimizer, and then their load one of the bias. */
function descend(policy: Policy, optimizer: tf.Optimizer, losses: (() => tf.Scalar)[]): void {
  const total: tf.NamedTensorMap = {}
  for (const loss of losses) {
    const { grads, value } = tf.variableGrads(loss)
    value.dispose()
    for (const [name, gradient] of Object.entries(grads)) {
      const before = total[name]
      total[name] = before ? tf.add(before, gradient) : gradient
      if (before) tf.dispose([before, gradient])
    }
  }
  optimizer.applyGradients(total)
  tf.dispose(total)
  policy.layer.updateBias()
}

/** A step of fine-tuning: half of the time the right answer is to be said, half of the time another look be asked for. */
export function imitate(
  policy: Policy,
  optimizer: tf.Optimizer,
  prompts: readonly Prompt[],
  random: Streams,
): void {
  const hidden = new Float32Array(prompts.length * width)
  const said = Int32Array.from(prompts, (prompt, token) => {
    const draws = random('imitated').at(token)
    const look = draws.below(looks)
    const again = look < looks - 1 && draws.uniform() < 0.5
    see(policy, prompt, look, draws, hidden.subarray(token * width, (token + 1) * width))
    return again ? think : prompt.answer
  })
  const loss = (): tf.Scalar => {
    const { logs, auxLoss } = logProbabilities(policy, hidden, { training: true })
    return tf.sub<tf.Scalar>(auxLoss, tf.mean(ofSaid(logs, said)))
  }
  descend(policy, optimizer, [loss])
}

/**
 * A step of GRPO on rollouts of the present policy, one a micro-batch, with their routing replayed. It is on policy, so
 * that the ratio of the two engines is the only one. Tells what the layer was loaded with, [E].
 */
export function reinforce(
  policy: Policy,
  optimizer: tf.Optimizer,
  rollouts: readonly Rollout[],
  groupSize: number,
): Int32Array {
  const tokens = rollouts.reduce((sum, { said }) => sum + said.length, 0)
  const total = new Int32Array(policy.layer.bias.length)
  const losses = rollouts.map((rollout) => () => {
    const { hidden, experts, said, sampleOf } = rollout
    const advantages = groupAdvantages(rewardsOf(rollout, groupSize), groupSize)
    const { logs, load } = logProbabilities(policy, hidden, { training: true, experts })
    load.forEach((count, e) => {
      total[e] += count
    })
    const logged = ofSaid(logs, said)
    const pulls = Float32Array.from(logged.dataSync(), (value, token) => {
      return (maskedRatio(value, rollout.logs[token]) * advantages[sampleOf[token]]) / tokens
    })
    return tf.neg(tf.sum(tf.mul(logged, pulls))).asScalar()
  })
  descend(policy, optimizer, losses)
  return total
}

/** A right answer is worth 5 and a wrong one 1, as helpfulness is rated; less thinking than others of the group, more. */
function rewardsOf({ right, thinking }: Rollout, groupSize: number): number[] {
  const samples = right.map((is, i) => ({ reward: is ? 5 : 1, thinking: thinking[i], answer: 1 }))
  const groups = Array.from({ length: samples.length / groupSize }, (_, group) =>
    samples.slice(group * groupSize, (group + 1) * groupSize),
  )
  return groups.flatMap((group) => lengthControlled(group))
}
