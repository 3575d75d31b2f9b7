/*
Draws the README's picture: expert load of real tokens without a bias, and after the bias rule has steered them.

npm run pictures
*/
import { readFileSync, writeFileSync } from 'node:fs'
import * as Plot from '@observablehq/plot'
import { parseHTML } from 'linkedom'
import {
  biasBalance,
  expectedMaxViolation,
  linearRouter,
  maxViolation,
  readTrace,
  simulate,
  traceWorkload,
} from 'moesim'

const layer = 1 // the second of the three recorded MoE layers
const steps = 600

const trace = readTrace(readFileSync(new URL('../data/trace.safetensors', import.meta.url)))
const { numExperts, topK } = trace.router
const tokens = trace.tokens
const reports = [
  ...simulate({
    router: linearRouter(
      trace.router,
      trace.layers.map(({ weight }) => weight),
    ),
    balance: biasBalance({ rate: 1e-3 }),
    workload: traceWorkload(trace),
    tokensPerStep: tokens,
    numExperts,
    layers: trace.layers.length,
    steps,
  }),
]
const loadAt = (step: number): Int32Array =>
  reports[step].load.subarray(layer * numExperts, (layer + 1) * numExperts)
const mean = (tokens * topK) / numExperts
const chance = mean * (1 + expectedMaxViolation({ tokens, numExperts, topK }))

const panels = [
  { step: 0, title: 'without a bias' },
  { step: steps - 1, title: `after ${steps} steps of ±0.001` },
].map(({ step, title }) => ({
  title: `${title}: MaxVio ${maxViolation(loadAt(step)).toFixed(2)}`,
  loads: Array.from(loadAt(step), (load, expert) => ({ load, expert })),
}))
const bars = panels.flatMap(({ title, loads }) => loads.map((bar) => ({ ...bar, title })))

const { document } = parseHTML('<!doctype html><body></body>')
const picture = Plot.plot({
  document,
  width: 860,
  height: 380,
  marginLeft: 48,
  marginTop: 34,
  marginRight: 16,
  style: { background: 'white', color: '#222', fontSize: '13px', fontFamily: 'system-ui, sans-serif' },
  x: { label: 'expert', ticks: [0, 32, 64, 96, 127], tickFormat: String, type: 'band' as never },
  y: { label: 'tokens', grid: true, nice: true },
  fy: { label: null, axis: null, domain: panels.map(({ title }) => title), padding: 0.22 },
  marks: [
    Plot.barY(bars, {
      x: 'expert',
      y: 'load',
      fy: 'title',
      fill: (bar) => (bar.load > chance ? '#d95f02' : '#4878a8'),
    }),
    Plot.ruleY([mean], { stroke: '#222', strokeDasharray: '4 3' }),
    Plot.ruleY([0]),
    Plot.text(panels, {
      fy: 'title',
      text: 'title',
      frameAnchor: 'top-left',
      lineAnchor: 'bottom',
      textAnchor: 'start',
      dx: 6,
      dy: -2,
      fontWeight: 600,
    }),
  ],
})
picture.setAttribute('xmlns', 'http://www.w3.org/2000/svg')
picture.setAttribute('role', 'img')
picture.setAttribute('aria-label', panels.map(({ title }) => `Expert load ${title}`).join('; '))
writeFileSync(new URL('expert-load.svg', import.meta.url), `${picture.outerHTML}\n`)
console.log(panels.map(({ title }) => title).join('\n'))
