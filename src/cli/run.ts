import { Command, CommanderError } from 'commander'
import { InputError } from '../index.js'
import { addCompare } from './compare.js'
import { addCost } from './cost.js'
import { addCount } from './count.js'
import { UsageError } from './given.js'
import { exitCode, type Io } from './io.js'
import { addPlace } from './place.js'
import { addReplay } from './replay.js'
import { addSimulate } from './simulate.js'
import { visible } from './table.js'
import { addTour } from './tour.js'
import { version } from './version.js'

const exitCodes = `
Exit codes: 0 all is well, 1 an input was refused or a check failed, 2 the command line was not understood,
130 interrupted.
`

/** The program in one call: words of the command line in, exit code out; it touches nothing but `io` and files named. */
export async function run(argv: readonly string[], io: Io): Promise<number> {
  let code: number = exitCode.ok
  const done = (result: number): void => {
    code = result
  }
  const program = new Command('moesim')
    .description('Simulate how a Mixture-of-Experts layer routes tokens.')
    .version(version)
    .exitOverride()
    .configureOutput({
      writeOut: io.stdout,
      writeErr: io.stderr,
      getOutHelpWidth: () => io.columns,
      getErrHelpWidth: () => io.columns,
    })
    .addHelpText('after', `\nExample:\n  $ moesim tour\n${exitCodes}`)
  addCount(program, io, done)
  addCompare(program, io, done)
  addSimulate(program, io, done)
  addReplay(program, io, done)
  addPlace(program, io, done)
  addCost(program, io, done)
  addTour(program, io, done, (words) => run(words, io))
  try {
    await program.parseAsync(argv, { from: 'user' })
    return code
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCode.ok : exitCode.usage
    if (!(error instanceof InputError)) throw error
    io.stderr(`moesim: ${visible(error.message)}\n`)
    return error instanceof UsageError ? exitCode.usage : exitCode.failed
  }
}
