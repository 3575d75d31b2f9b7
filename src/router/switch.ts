import type { RouterConfig } from './config.js'

/**
 * Switch routing: the one best expert, weighed by its softmax probability, which is not normalised: at K = 1 it would
 * always be 1 and the router would learn nothing.
 *
 * It is meant to run under a capacity, `switchCapacity`, in order of arrival: ⌊factor · T / E⌋ tokens an expert, with a
 * factor of 1.25 in training and 2.0 in evaluation in the paper. DeepSpeed's top-1 rounds up and keeps at least 4.
 * Source: Fedus et al., arXiv 2101.03961, eqs. 2–3; Hugging Face `SwitchTransformersTop1Router`.
 */
export const switchTop1 = (numExperts: number): RouterConfig => ({
  numExperts,
  topK: 1,
  scoreFunction: 'softmax',
  normalize: false,
  scale: 1,
})
