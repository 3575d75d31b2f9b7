// The two rewards of the RL stage of Nemotron 3 Nano (arXiv 2512.20848, post-training).

/** What a judge says, or should say, of two answers: how helpful each is, and which is better by how much. */
export interface Judgement {
  readonly first: number
  readonly second: number
  readonly ranking: number
}

/**
 * What a generative reward model is rewarded with while it learns to judge:
 * R = −C1 · I − |P₁ − G₁| − |P₂ − G₂| − C2 · |P_r − G_r|, where I is 1 for a judgement that cannot be read (`undefined`
 * here, and then nothing is left to compare), P is what it says and G what people said. C1 = 10, C2 = 1.
 */
export function judgeReward(said: Judgement | undefined, truth: Judgement, c1 = 10, c2 = 1): number {
  if (said === undefined) return -c1
  const { first, second, ranking } = said
  return (
    -Math.abs(first - truth.first) - Math.abs(second - truth.second) - c2 * Math.abs(ranking - truth.ranking)
  )
}

/** An answer in a group of answers to one prompt: its reward so far, and its tokens before the answer and in it. */
export interface Sample {
  readonly reward: number
  readonly thinking: number
  readonly answer: number
}

/** Group relative length control: R_i + λ_think · w_think,i + λ_answer · w_answer,i, λ = 0.5 both. */
export function lengthControlled(group: readonly Sample[], think = 0.5, answer = 0.5): number[] {
  const thinking = brevity(group.map((sample) => sample.thinking))
  const answers = brevity(group.map((sample) => sample.answer))
  return group.map(({ reward }, i) => reward + think * thinking[i] + answer * answers[i])
}

/** w: from 1 for the shortest of a group to 0 for the longest, less their mean; 0 where all are equally long. */
export function brevity(lengths: readonly number[]): number[] {
  const [shortest, longest] = [Math.min(...lengths), Math.max(...lengths)]
  if (shortest === longest) return lengths.map(() => 0)
  const weights = lengths.map((length) => (longest - length) / (longest - shortest))
  const middle = mean(weights)
  return weights.map((weight) => weight - middle)
}

export const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length
