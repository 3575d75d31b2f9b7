import type { RouterConfig } from './config.js'

/**
 * Llama 4's router: top-k, 1 unless given, of the logits and their sigmoids as weights, not normalised. The weight
 * multiplies the INPUT of the expert, not its output, which is not the same: an expert is not linear.
 *
 * Source: Hugging Face `Llama4Router`; `moe_apply_probs_on_input` of Megatron-LM. It selects on the scores here, on the
 * logits there: the same but for logits above 17, whose sigmoids tie at 1 in float32.
 */
export const llama4 = (numExperts: number, topK = 1): RouterConfig => ({
  numExperts,
  topK,
  scoreFunction: 'sigmoid',
  normalize: false,
  scale: 1,
})
