import {
  InputError,
  readSafetensors,
  readTrace,
  readTrainingLoad,
  type Trace,
  type TrainingLoad,
} from '../index.js'

/** What a routing recorder wrote: the tokens of a model, or the loads of its training. */
export type Recorded = { readonly trace: Trace } | { readonly training: TrainingLoad }

/** Reads a safetensors file by the tensors in it. `command` is the one that asks. */
export function readRecorded(command: string, bytes: Uint8Array): Recorded {
  const names = [...readSafetensors(bytes).tensors.keys()]
  if (names.some((name) => /^layers\.\d+\.router_input$/.test(name))) return { trace: readTrace(bytes) }
  if (names.includes('counts') && names.includes('bias')) return { training: readTrainingLoad(bytes) }
  const found =
    names.length > 4 ? `${names.slice(0, 4).join(', ')} and ${names.length - 4} more` : names.join(', ')
  throw new InputError(
    `${command}: the file must hold a routing trace (tensors layers.N.router_input) or training loads (counts and bias)`,
    `tensors ${found || 'none'}`,
    'Give a file that a routing recorder wrote.',
  )
}
