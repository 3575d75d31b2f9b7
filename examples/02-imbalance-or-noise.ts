/*
Is a MaxVio of 0.2 bad?

npm run lesson 02

Fair routing, 128 experts, 6 a token: every imbalance below is chance.
tokens   simulated   expected
    64       1.706      1.717
   256       0.801      0.802
  1024       0.372      0.385
  4096       0.176      0.188
 16384       0.103      0.093
*/
import { expectedMaxViolation, gaussian, nemotron3Nano, noBalance, routerOf, simulate } from 'moesim'

const router = routerOf(nemotron3Nano)
const { numExperts, topK } = router

console.log('Fair routing, 128 experts, 6 a token: every imbalance below is chance.')
console.log('tokens   simulated   expected')
for (const tokensPerStep of [64, 256, 1024, 4096, 16384]) {
  const steps = Math.max(16, Math.ceil(32768 / tokensPerStep))
  let sum = 0
  const setup = {
    router,
    balance: noBalance,
    workload: gaussian({ numExperts }),
    tokensPerStep,
    steps,
    seed: 2,
  }
  for (const report of simulate(setup)) sum += report.maxViolation
  const expected = expectedMaxViolation({ tokens: tokensPerStep, numExperts, topK })
  const row = [
    String(tokensPerStep).padStart(6),
    (sum / steps).toFixed(3).padStart(11),
    expected.toFixed(3).padStart(10),
  ]
  console.log(row.join(' '))
}

// The floor falls as 1/sqrt(tokens). 0.2 is a perfect router at 4096 tokens and an unbalanced one at 16384.
