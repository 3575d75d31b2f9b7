/** Where a progress bar is drawn. */
export interface Terminal {
  write(text: string): void
  readonly isTTY: boolean
  readonly columns: number
  /** Milliseconds, from whenever. */
  now(): number
}

export interface Progress {
  /** So many are done; `note` is shown at the end of the line. */
  tick(done: number, note?: string): void
  /** Takes the bar away. */
  clear(): void
}

const redrawEvery = 100 // ms: a terminal is slower than a simulation

/**
 * A bar with rate and time left, redrawn in place: `━━━━╌╌╌╌  141/300  35.2 steps/s  5 s left  note`.
 * Silent where the terminal is none. `already` were done before this run and do not count for the rate.
 */
export function progress(terminal: Terminal, total: number, unit: string, already = 0): Progress {
  if (!terminal.isTTY) return { tick: () => {}, clear: () => {} }
  const start = terminal.now()
  let drawn = Number.NEGATIVE_INFINITY
  return {
    tick(done, note = '') {
      const now = terminal.now()
      if (now - drawn < redrawEvery) return
      drawn = now
      const rate = (done - already) / Math.max(1e-3, (now - start) / 1000)
      const left = rate > 0 ? `${duration((total - done) / rate)} left` : ''
      const parts = [bar(done / total), `${done}/${total}`, `${rate.toFixed(1)} ${unit}/s`, left, note]
      const line = parts.filter((part) => part !== '').join('  ')
      terminal.write(`\r${line.slice(0, Math.max(0, terminal.columns - 1))}\x1b[K`)
    },
    clear: () => terminal.write('\r\x1b[K'),
  }
}

function bar(share: number): string {
  const filled = Math.round(20 * Math.min(1, share))
  return '━'.repeat(filled) + '╌'.repeat(20 - filled)
}

/** 42 s, 3 min 5 s, 2 h 10 min. */
function duration(seconds: number): string {
  const whole = Math.ceil(seconds)
  if (whole < 60) return `${whole} s`
  const minutes = Math.floor(whole / 60)
  return minutes < 60 ? `${minutes} min ${whole % 60} s` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`
}
