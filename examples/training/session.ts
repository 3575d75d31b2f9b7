// What a training run needs around it: tfjs on the wasm backend, a bar of progress on stderr, an end at Ctrl-C.
import { setImmediate } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import * as tf from '@tensorflow/tfjs'
import '@tensorflow/tfjs-backend-wasm'
import { progress } from '../../dist/node/progress.js'

await tf.setBackend('wasm')

export { tf }

/** How many steps to train: `--steps` of the command line, or `usual`, whose output the lesson's header shows. */
export function stepsOf(usual: number): number {
  const { values } = parseArgs({ options: { steps: { type: 'string' } } })
  const steps = Number(values.steps ?? usual)
  if (Number.isInteger(steps) && steps >= 10) return steps
  console.error('--steps must be a whole number of at least 10')
  process.exit(2)
}

/** Ticks off `total` steps on stderr. Ctrl-C is heard in each tick, and ends the program. */
export function progressOf(total: number): { tick: (note: string) => Promise<void>; end: () => void } {
  const { isTTY = false, columns } = process.stderr
  const write = (text: string): boolean => process.stderr.write(text)
  const bar = progress({ isTTY, columns, write, now: () => performance.now() }, total, 'steps')
  let done = 0
  const interrupted = (): void => {
    bar.clear()
    console.error(`Stopped after ${done} of ${total} steps.`)
    process.exit(130)
  }
  process.once('SIGINT', interrupted)
  return {
    async tick(note) {
      bar.tick(++done, note)
      await setImmediate()
    },
    end() {
      bar.clear()
      process.removeListener('SIGINT', interrupted)
    },
  }
}
