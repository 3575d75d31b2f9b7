/*
What does the update rate u do?

npm run lesson 03

     u   MaxVio at the start   first step of 20 with a mean below 0.2   settles at   by chance
 0.010                  3.23                                       32        0.194      0.0820
 0.001                  3.23                                      140        0.099      0.0820
*/
import { biasBalance, gaussian, type RouterConfig, simulate } from 'moesim'

// 64 experts whose mean logits differ by 0.5; each bias moves by u towards the mean load, step after step.
const numExperts = 64
const router: RouterConfig = { numExperts, topK: 6, scoreFunction: 'sigmoid', normalize: true, scale: 1 }
const workload = gaussian({ numExperts, skew: 0.5 })

console.log('     u   MaxVio at the start   first step of 20 with a mean below 0.2   settles at   by chance')
for (const [rate, steps] of [
  [1e-2, 100],
  [1e-3, 220],
]) {
  const violations: number[] = []
  let floor = 0
  const setup = { router, workload, balance: biasBalance({ rate }), tokensPerStep: 8192, steps, seed: 3 }
  for (const report of simulate(setup)) {
    violations.push(report.maxViolation)
    floor = report.expectedMaxViolation
  }
  const below = violations.findIndex((_, step) => mean(violations.slice(step, step + 20)) < 0.2)
  const row = [
    rate.toFixed(3).padStart(6),
    violations[0].toFixed(2).padStart(21),
    String(below).padStart(40),
    mean(violations.slice(-60)).toFixed(3).padStart(12),
    floor.toFixed(4).padStart(11),
  ]
  console.log(row.join(' '))
}

function mean(values: number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}

// A large u is there sooner and then shakes: it settles at about the floor + h·u. A small one is late and calm.
