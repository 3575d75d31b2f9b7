import {
  demand,
  InputError,
  readSafetensors,
  readTrace,
  readTrainingLoad,
  type Trace,
  type TrainingLoad,
} from '../index.js'
import { headed, readBytes } from '../node/files.js'

/** What a routing recorder wrote: the tokens of a model, or the loads of its training. */
export type Recorded = { readonly trace: Trace } | { readonly training: TrainingLoad }

/** Reads a safetensors file by the tensors in it. `command` is the one that asks; what is refused names the file first. */
export function readRecorded(command: string, path: string, bytes: Uint8Array): Recorded {
  return headed(path, () => {
    const rule = `${command}: it must be a safetensors file`
    demand(!isNumpy(bytes), rule, 'a .npy or .npz file', ofNumpy)
    demand(isSafetensors(bytes), rule, beginning(bytes), remedy)
    const names = [...readSafetensors(bytes).tensors.keys()]
    if (names.some((name) => /^layers\.\d+\.router_input$/.test(name))) return { trace: readTrace(bytes) }
    if (names.includes('counts') && names.includes('bias')) return { training: readTrainingLoad(bytes) }
    const found =
      names.length > 4 ? `${names.slice(0, 4).join(', ')} and ${names.length - 4} more` : names.join(', ')
    throw new InputError(
      `${command}: the file must hold a routing trace (tensors layers.N.router_input) or training loads (counts and bias)`,
      `tensors ${found || 'none'}`,
      names.some((name) => /^layers\.\d+\.logits$/.test(name)) ? ofLogits : remedy,
    )
  })
}

/** A safetensors file as a routing trace. */
export function readRecordedTrace(command: string, path: string): Trace {
  const recorded = readRecorded(command, path, readBytes(path))
  if ('trace' in recorded) return recorded.trace
  throw new InputError(
    `${path}: ${command}: it must hold a routing trace`,
    'training loads',
    'They have no tokens: give the trace that was recorded beside them.',
  )
}

const remedy = 'Give a file that a routing recorder wrote.'

const ofLogits =
  'Name the logits router_input, and store the identity [E, E] as router_weight; the rest is described at readTrace.'

const ofNumpy =
  'Put its arrays into one by safetensors.numpy.save_file in Python, under the names that are described at readTrace and readTrainingLoad; loads may also be CSV with columns layer, expert, load.'

/** Whether it begins as NumPy’s files do, of which .npz is a zip of .npy. */
function isNumpy(bytes: Uint8Array): boolean {
  const start = String.fromCharCode(...bytes.subarray(0, 6))
  return start === '\x93NUMPY' || start.startsWith('PK\x03\x04')
}

/** Whether a header of JSON stands where it must; else what comes first is no length, and the file not one cut short. */
const isSafetensors = (bytes: Uint8Array): boolean => bytes[8] === 123 // {

/** What a file begins with, for whoever took it for another. */
const beginning = (bytes: Uint8Array): string =>
  bytes.length === 0 ? 'an empty file' : new TextDecoder().decode(bytes.subarray(0, 32))
