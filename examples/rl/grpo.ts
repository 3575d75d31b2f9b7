// What GRPO makes of rewards and of two engines that disagree, and which prompts it gets.
import { cumulative, type Draws, exp, pick } from 'moesim'
import { mean } from './rewards.js'

/**
 * Group-normalised advantages: each reward less the mean of its group, over the group's standard deviation. `rewards`
 * are group after group. A group whose rewards are all equal teaches nothing: 0. Source: GRPO, arXiv 2402.03300, §4.1.
 */
export function groupAdvantages(rewards: readonly number[], groupSize: number): number[] {
  return rewards.map((reward, i) => {
    const first = i - (i % groupSize)
    const group = rewards.slice(first, first + groupSize)
    const middle = mean(group)
    const deviation = Math.sqrt(mean(group.map((other) => (other - middle) ** 2)))
    return deviation < 1e-9 ? 0 : (reward - middle) / deviation
  })
}

/**
 * Masked importance sampling: the weight of a token that one engine has sampled and another learns from is the ratio of
 * their probabilities, and 0 where that lies outside the bounds, for there the engines do not mean the same.
 * Bounds: ½ and 5, those of IcePop (Ring-1T); Nemotron's are not published.
 */
export function maskedRatio(logTrain: number, logRollout: number, lowest = 0.5, highest = 5): number {
  const ratio = exp(logTrain - logRollout)
  return ratio >= lowest && ratio <= highest ? ratio : 0
}

/** `count` different prompts, each the likelier the nearer its pass rate is to the target: by exp(−(p − target)² / 2 width²). */
export function curriculum(
  passRates: readonly number[],
  { target, width, count }: { target: number; width: number; count: number },
  draws: Draws,
): number[] {
  const weights = passRates.map((rate) => exp(-((rate - target) ** 2) / (2 * width * width)))
  return Array.from({ length: count }, () => {
    const index = pick(draws, cumulative(weights))
    weights[index] = 0
    return index
  })
}
