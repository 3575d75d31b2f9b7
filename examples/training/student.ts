// One student of the teachers: a mixture-of-experts layer, trained by one recipe from one seed.
import {
  type BiasState,
  type LayerConfig,
  loadByDomain,
  maxViolation,
  mutualInformation,
  wsdSchedule,
} from 'moesim'
import { adamW, MoELayer, type MoELayerOptions } from 'moesim/tf'
import { tf } from './session.js'
import { type Course, clusters, type Examples, width } from './teachers.js'

export type Recipe = Pick<MoELayerOptions<BiasState>, 'balance' | 'loss'>

export const router = {
  numExperts: 8,
  topK: 2,
  scoreFunction: 'sigmoid',
  normalize: true,
  scale: 1,
} as const
const config: LayerConfig = {
  hiddenSize: width,
  router,
  expertWidth: 32,
  activation: 'relu2',
  gated: false,
  correctionBias: true,
}

export interface Report {
  /** Mean squared error of held-out examples, as a share of their variance. */
  readonly error: number
  /** MaxVio of all held-out examples together. */
  readonly globalViolation: number
  /** MaxVio of a training batch, the mean of the last 50. */
  readonly batchViolation: number
  /** What an expert tells of the cluster, in bits. */
  readonly bits: number
  /** [steps] tokens per expert */
  readonly loads: readonly Int32Array[]
}

export async function train(
  recipe: Recipe,
  seed: number,
  { lessons, exam }: Course,
  tick: () => Promise<void>,
): Promise<Report> {
  const steps = lessons.length
  const layer = new MoELayer(config, { seed, ...recipe })
  const decay = Math.round(steps / 5)
  const warmup = Math.round(steps / 15)
  const rate = wsdSchedule({ peak: 5e-3, warmup, stable: steps - warmup - decay, decay, end: 5e-5 })
  const optimizer = adamW({ rate })
  const loads: Int32Array[] = []
  for (const lesson of lessons) {
    tf.tidy(() => {
      const { x, y } = tensorsOf(lesson)
      optimizer.minimize(() => {
        const { output, auxLoss, load } = layer.apply(x)
        loads.push(load)
        return tf.add(tf.losses.meanSquaredError(y, output), auxLoss)
      })
    })
    layer.updateBias()
    await tick()
  }
  const report = tf.tidy(() => {
    const { x, y } = tensorsOf(exam)
    const { output, routing, load } = layer.apply(x, { training: false })
    const error = tf.div(tf.losses.meanSquaredError(y, output), tf.moments(y).variance)
    const last = loads.slice(-50).map(maxViolation)
    return {
      error: error.dataSync()[0],
      globalViolation: maxViolation(load),
      batchViolation: last.reduce((sum, violation) => sum + violation) / last.length,
      bits: mutualInformation(loadByDomain(routing, exam.clusterOf, clusters), router.numExperts),
      loads,
    }
  })
  layer.dispose()
  optimizer.dispose()
  return report
}

function tensorsOf({ inputs, targets, clusterOf }: Examples) {
  const shape: [number, number] = [clusterOf.length, width]
  return { x: tf.tensor2d(inputs, shape), y: tf.tensor2d(targets, shape) }
}
