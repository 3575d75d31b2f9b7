// A world of questions in two domains, each with one right answer.
import { streams } from 'moesim'

export const width = 32
export const answers = 4
/** The token that is no answer: another look at the question. At the last look it is a wrong answer. */
export const think = 4
export const looks = 4
/** Each look halves the noise that a question is seen through. */
export const blur = (look: number): number => 1.5 * 2 ** -look

/** Dimensions of a question that its answer depends on, and how far the domains are apart in each of all dimensions. */
const relevant = 4
const apart = 0.5

export interface Prompt {
  /** [D] as it would be seen without noise. */
  readonly question: Float32Array
  readonly answer: number
}

/** Question `index` of a domain: the domain's centre + N(0, 1), answered by the domain's own teacher. */
export type World = (domain: number, index: number) => Prompt

export function worldOf(seed: number): World {
  const random = streams(seed)
  const normals = (name: string, domain: number, count: number, index = 0): Float64Array => {
    const values = new Float64Array(count)
    random(name, domain).at(index).normals(values)
    return values
  }
  const centres = [0, 1].map((domain) => normals('centre', domain, width))
  const teachers = [0, 1].map((domain) => normals('teacher', domain, answers * relevant))
  return (domain, index) => {
    const own = normals('question', domain, width, index)
    const scores = Array.from({ length: answers }, (_, answer) => {
      let sum = 0
      for (let i = 0; i < relevant; i++) sum += own[i] * teachers[domain][answer * relevant + i]
      return sum
    })
    const question = Float32Array.from(own, (x, i) => x + apart * centres[domain][i])
    return { question, answer: scores.indexOf(Math.max(...scores)) }
  }
}
