/*
Can the auxiliary loss fall without balance?

npm run lesson 05

logits times   auxiliary loss   MaxVio   by chance
           1           1.4233    3.299       0.116
         0.3           1.1209    3.299       0.116
         0.1           1.0393    3.299       0.116
        0.03           1.0117    3.299       0.116
        0.01           1.0039    3.299       0.116
*/
import {
  auxLoss,
  expectedMaxViolation,
  gaussian,
  loadOf,
  maxViolation,
  type RouterConfig,
  route,
  streams,
} from 'moesim'

const router: RouterConfig = { numExperts: 64, topK: 6, scoreFunction: 'softmax', normalize: true, scale: 1 }
const tokens = 4096
const batch = gaussian({ numExperts: 64, skew: 0.5 })({ tokens, layer: 0, step: 0, random: streams(5) })

console.log('logits times   auxiliary loss   MaxVio   by chance')
for (const scale of [1, 0.3, 0.1, 0.03, 0.01]) {
  const logits = (batch.logits as Float32Array).map((logit) => scale * logit)
  const { value } = auxLoss(logits, router)
  const row = [
    String(scale).padStart(12),
    value.toFixed(4).padStart(16),
    maxViolation(loadOf(route(logits, router)))
      .toFixed(3)
      .padStart(8),
    expectedMaxViolation({ tokens, numExperts: 64, topK: 6 }).toFixed(3).padStart(11),
  ]
  console.log(row.join(' '))
}

// The loss multiplies counts by probabilities. A router that is sure of nothing gives every expert the same
// probability, and then the loss is 1 whatever the counts are. So show loads beside it, always.
