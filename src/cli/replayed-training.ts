import {
  expectedMaxViolation,
  layersOf,
  maxViolation,
  type ReplayedTraining,
  sumLoads,
  type TrainingLoad,
} from '../index.js'
import type { Canvas } from './heatmap.js'
import { mean } from './mean.js'
import { sparkline } from './sparkline.js'
import { count, table } from './table.js'

/** MaxVio of one layer over the recorded steps. */
interface LayerFigures {
  /** The layer's place in the model's stack. */
  readonly index: number
  readonly maxViolation: readonly number[]
  readonly first10: number
  readonly worst: number
  readonly worstStep: number
  readonly last100: number
  /** MaxVio of the last 100 batches summed. */
  readonly last100Summed: number
}

function figuresOf(recorded: TrainingLoad, replayed: ReplayedTraining): LayerFigures[] {
  const { steps, layers, layerIndices, numExperts, counts } = recorded
  const row = layers * numExperts
  const batches = Array.from(steps, (_, i) => counts.subarray(i * row, (i + 1) * row))
  const summed = layersOf(sumLoads(batches.slice(-100)), numExperts).map(maxViolation)
  return summed.map((last100Summed, layer) => {
    const own = Array.from(steps, (_, i) => replayed.maxViolationByLayer[i * layers + layer])
    const worst = own.reduce((most, violation) => Math.max(most, violation))
    return {
      index: layerIndices[layer],
      maxViolation: own,
      first10: mean(own.slice(0, 10)),
      worst,
      worstStep: steps[own.indexOf(worst)],
      last100: mean(own.slice(-100)),
      last100Summed,
    }
  })
}

/** Replayed training as text. */
export function describeTraining(recorded: TrainingLoad, replayed: ReplayedTraining, canvas: Canvas): string {
  const { steps, layers, numExperts, topK, tokensPerStep, rate } = recorded
  const { pairs, differingPairs } = replayed
  const figures = figuresOf(recorded, replayed)
  const window = Math.min(100, steps.length)
  const summedByChance = expectedMaxViolation({ tokens: window * tokensPerStep, numExperts, topK })
  const header = [
    `${count(steps.length, 'sampled step')} from ${steps[0]} to ${steps[steps.length - 1]}`,
    `${count(layers, 'MoE layer')}: ${numExperts} experts, top ${topK}`,
    `${count(tokensPerStep, 'token')} a step; sign rule, rate ${rate}`,
  ].join('; ')
  const row = (name: string, show: (figure: LayerFigures) => string): string[] => [name, ...figures.map(show)]
  const rows = [
    row('mean of the first 10 steps', ({ first10 }) => first10.toFixed(2)),
    row('worst step', ({ worst }) => worst.toFixed(2)),
    row('which one', ({ worstStep }) => String(worstStep)),
    row(`mean of the last ${window} steps`, ({ last100 }) => last100.toFixed(2)),
    row('by chance', () => replayed.expectedMaxViolation.toFixed(2)),
    row(`of the last ${window} batches summed`, ({ last100Summed }) => last100Summed.toFixed(3)),
    row('by chance', () => summedByChance.toFixed(3)),
  ]
  const width = Math.min(100, canvas.columns) - 12
  const lines = figures.map(
    ({ maxViolation, index }) => `  layer ${index}  ${sparkline(maxViolation, width)}\n`,
  )
  const numbers = figures.map(({ index }) => `layer ${index}`)
  return [
    `${header}\n`,
    `MaxVio over the sampled steps, each layer from 0 to its largest mean\n${lines.join('')}`,
    table(['MaxVio of a batch', ...numbers], rows),
    verdict(pairs, differingPairs),
  ].join('\n')
}

function verdict(pairs: number, differing: number): string {
  const told = `${count(pairs, 'pair')} of consecutive steps: the bias that follows from the load `
  if (differing === 0) return `${told}is the recorded one, to the last bit.\n`
  return `${told}is NOT the recorded one in ${differing}.\n`
}

/** The figures as JSON. */
export function trainingToJson(recorded: TrainingLoad, replayed: ReplayedTraining): string {
  const { steps, layers, numExperts, topK, tokensPerStep, rate } = recorded
  const { pairs, differingPairs, expectedMaxViolation } = replayed
  const asked = { steps: Array.from(steps), numExperts, topK, tokensPerStep, rate }
  const figures = figuresOf(recorded, replayed)
  const told = { pairs, differingPairs, expectedMaxViolation, layers: figures }
  return `${JSON.stringify({ ...asked, numLayers: layers, ...told }, null, 2)}\n`
}
