import type { Command } from 'commander'
import { demandUsage } from './given.js'

/** Of which context figures are, and in which form they are printed: a table unless given. */
export interface Output {
  readonly json?: true
  readonly csv?: true
  readonly context?: string
}

export const addOutputOptions = (command: Command): Command =>
  command
    .option('--assume <type>', "read every config as if this were its model_type, such as 'llama-moe'")
    .option('--context <tokens>', 'length of a sequence, for memory and FLOPs (default 4096)')
    .option('--json', 'print the figures as JSON')
    .option('--csv', 'print the figures as comma-separated values')

export function demandOneForm({ json, csv }: Output): void {
  demandUsage(!(json && csv), '--json and --csv must not stand together', 'both', 'Choose one.')
}
