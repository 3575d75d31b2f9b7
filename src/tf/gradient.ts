import type { Tensor } from '@tensorflow/tfjs'
import type { Tf } from './tfjs.js'

/** A value, and the gradients of its inputs from its own and the inputs. */
interface Differentiable<Inputs extends Tensor[], Output extends Tensor> {
  readonly value: Output
  readonly gradients: (dy: Output, ...inputs: Inputs) => Tensor[]
}

/** `tf.customGrad` with types: `run` is off the tape, and so is what it gives for the way back. */
export function withGradients<Inputs extends Tensor[], Output extends Tensor>(
  tf: Tf,
  inputs: readonly [...Inputs],
  run: (...inputs: Inputs) => Differentiable<Inputs, Output>,
): Output {
  return tf.customGrad((...given) => {
    const save = given.pop() as unknown as (tensors: Tensor[]) => void
    const tensors = given as unknown as Inputs
    save(tensors)
    const { value, gradients } = run(...tensors)
    return { value, gradFunc: (dy, saved) => gradients(dy as Output, ...(saved as Inputs)) }
  })(...inputs) as Output
}

/** Zeros that depend on the inputs all the same, so that each of them has a gradient, of zeros. */
export function zerosOf<Output extends Tensor>(tf: Tf, shape: number[], inputs: Tensor[]): Output {
  return withGradients(tf, inputs, (...given: Tensor[]) => ({
    value: tf.zeros(shape) as Output,
    gradients: () => given.map((tensor) => tf.zeros(tensor.shape)),
  }))
}
