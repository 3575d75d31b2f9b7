// A task in which experts can specialise: hidden clusters of inputs, a small network for each, and few clusters that are large.
import { cumulative, type Draws, pick, streams, zipf } from 'moesim'

export const width = 16
export const clusters = 8
const hidden = 8

export interface Examples {
  /** [T, width] */
  readonly inputs: Float32Array
  /** [T, width] what the cluster's own network makes of them */
  readonly targets: Float32Array
  /** [T] */
  readonly clusterOf: Int32Array
}

/** What a seed's teachers teach in each step, and what they ask at the end. */
export interface Course {
  readonly lessons: readonly Examples[]
  readonly exam: Examples
}

export function courseOf(
  seed: number,
  { steps, batch, heldOut }: { steps: number; batch: number; heldOut: number },
): Course {
  const draw = teachers(seed)
  const lessons = Array.from({ length: steps }, (_, step) => draw(step, batch))
  return { lessons, exam: draw(steps, heldOut) }
}

/** Examples of any step. */
function teachers(seed: number): (step: number, tokens: number) => Examples {
  const random = streams(seed)
  const drawn = (name: string, size: number): Float64Array[] =>
    Array.from({ length: clusters }, (_, cluster) => normals(random(name).at(cluster), size))
  const centres = drawn('centres', width)
  const first = drawn('first layer', hidden * width)
  const second = drawn('second layer', width * hidden)
  const sizes = cumulative(zipf(clusters, 1)) // the largest has 37 % of the examples, the smallest 5 %

  return (step, tokens) => {
    const inputs = new Float32Array(tokens * width)
    const targets = new Float32Array(tokens * width)
    const clusterOf = new Int32Array(tokens)
    for (let t = 0; t < tokens; t++) {
      const draws = random('examples', 0, step).at(t)
      const cluster = pick(draws, sizes)
      const noise = normals(draws, width)
      const x = centres[cluster].map((centre, i) => (centre + 0.7 * noise[i]) / Math.sqrt(1.49))
      const units = product(first[cluster], x).map((unit) => Math.max(0, unit) * Math.sqrt(2))
      inputs.set(x, t * width)
      targets.set(product(second[cluster], units), t * width)
      clusterOf[t] = cluster
    }
    return { inputs, targets, clusterOf }
  }
}

function normals(draws: Draws, size: number): Float64Array {
  const values = new Float64Array(size)
  draws.normals(values)
  return values
}

/** A matrix, row by row, times a vector, divided by √(its length), so that the result is about as large. */
function product(matrix: Float64Array, vector: Float64Array): Float64Array {
  const { length } = vector
  return Float64Array.from({ length: matrix.length / length }, (_, row) => {
    let sum = 0
    for (let i = 0; i < length; i++) sum += matrix[row * length + i] * vector[i]
    return sum / Math.sqrt(length)
  })
}
