import { expect, test } from 'vitest'
import { progress } from '../../dist/node/progress.js'

function watched(columns = 120, isTTY = true) {
  const clock = { now: 5000 }
  const written: string[] = []
  const terminal = { isTTY, columns, now: () => clock.now, write: (text: string) => void written.push(text) }
  return { clock, written, terminal }
}

test('a bar shows what is done, how fast, and how long it will take', () => {
  const { clock, written, terminal } = watched()
  const bar = progress(terminal, 200, 'steps')
  clock.now += 2000
  bar.tick(50, 'MaxVio 1.23')
  expect(written).toEqual([
    `\r${'━'.repeat(5)}${'╌'.repeat(15)}  50/200  25.0 steps/s  6 s left  MaxVio 1.23\x1b[K`,
  ])
})

test.each([
  [1, '0.5 steps/s  33 min 18 s left'],
  [0, '0.0 steps/s\x1b'],
  [1000, '500.0 steps/s  0 s left'],
])('after 2 s, %i of 1000 done reads %s', (done, text) => {
  const { clock, written, terminal } = watched()
  const bar = progress(terminal, 1000, 'steps')
  clock.now += 2000
  bar.tick(done)
  expect(written[0]).toContain(`  ${text}`)
})

test('hours are shown as hours', () => {
  const { clock, written, terminal } = watched()
  const bar = progress(terminal, 1 + 7860, 'steps')
  clock.now += 1000
  bar.tick(1)
  expect(written[0]).toContain('2 h 11 min left')
})

test('what an earlier run has done does not count for the rate', () => {
  const { clock, written, terminal } = watched()
  const bar = progress(terminal, 200, 'steps', 100)
  clock.now += 1000
  bar.tick(110)
  expect(written[0]).toContain('110/200  10.0 steps/s  9 s left')
})

test('it is redrawn at most ten times a second', () => {
  const { clock, written, terminal } = watched()
  const bar = progress(terminal, 100, 'steps')
  for (let done = 1; done <= 100; done++) {
    clock.now += 10
    bar.tick(done)
  }
  expect(written.length).toBe(10)
})

test('it never fills the line, so that a terminal does not break it', () => {
  const { written, terminal } = watched(30)
  progress(terminal, 10, 'steps').tick(5)
  expect(written[0]).toHaveLength('\r'.length + 29 + '\x1b[K'.length)
})

test('clear leaves an empty line', () => {
  const { written, terminal } = watched()
  const bar = progress(terminal, 10, 'steps')
  bar.clear()
  expect(written).toEqual(['\r\x1b[K'])
})

test('without a terminal it is silent', () => {
  const { written, terminal } = watched(80, false)
  const bar = progress(terminal, 10, 'steps')
  bar.tick(5)
  bar.clear()
  expect(written).toEqual([])
})
