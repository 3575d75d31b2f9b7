import { float32Of, layerTensors, type WeightName, weightShapes } from 'moesim'
import { expect } from 'vitest'
import { expectClose, type Golden } from '../golden.js'
import type { layerCase } from '../layer/cases.js'
import type { Answers, Question } from './answers.js'

type Case = ReturnType<typeof layerCase>

export function questionOf(file: Case): Question {
  const { config, weights, hidden } = file
  return { config, weights, hidden, coefficients: file.floats(file.inputs.outputCoefficients) }
}

/** Everything is as it was recorded, at the recorded tolerances, and as the core has it; and nothing has leaked. */
export function expectRecorded(file: Case, answers: Answers): void {
  file.matches('routerLogits', answers.logits)
  file.matches('indices', answers.experts)
  file.matches('weights', answers.weights)
  file.matches('tokensPerExpert', answers.load)
  file.matches('output', answers.output)
  file.matches('output', answers.taped)
  expectClose(answers.output, answers.core, { abs: 1e-5, rel: 1e-5 }, 'the core')
  const [wanted, tolerance] = [file.expected.scalar, file.tolerance.scalar] as unknown as [number, object]
  expectClose(answers.scalar, [wanted], tolerance, 'scalar')
  file.matches('gradInput', answers.gradInput)
  matchesParameters(file, answers)
  expect(answers.leaked).toBe(0)
}

/** Gradients by Hugging Face's names; of the routed experts one is recorded. */
function matchesParameters(file: Case, { gradients }: Answers): void {
  const { config, layout } = file
  const shapes = Object.entries(weightShapes(config))
  const all = shapes.map(([name, [length]]) => [
    name,
    gradients[name as WeightName] ?? new Float32Array(length), // the correction bias has no gradient
  ])
  const tensors = layerTensors(Object.fromEntries(all), config, { layout })
  const recorded = file.expected.gradParameters as unknown as Golden['expected']
  const tolerances = file.tolerance.gradParameters as unknown as Golden['tolerance']
  const expert = file.params.gradientExpert as number
  expect(Object.keys(recorded).length).toBeGreaterThan(3)
  for (const [name, stored] of Object.entries(recorded)) {
    const whole = float32Of(tensors.get(name)!)
    const wanted = file.floats(stored)
    const own = name.startsWith('experts.')
      ? whole.subarray(expert * wanted.length, (expert + 1) * wanted.length)
      : whole
    expectClose(own, wanted, tolerances[name], name)
  }
}
