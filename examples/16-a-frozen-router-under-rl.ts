/*
Can the bias alone follow RL to another domain?

npm run lesson 16

mean (least–most) of 3       right on A, %     right on B, %  looks again at B
fine-tuned                      44 (41–49)        37 (36–39)     0.8 (0.7–0.8)
after 8 steps of RL on A        49 (45–53)        39 (33–42)     0.9 (0.7–1.1)
after 20 more on B              46 (40–50)        45 (41–51)     0.3 (0.2–0.5)

router frozen                       MaxVio
RL on A, last 3 steps        0.6 (0.4–0.8)
RL on B, first step          3.7 (3.4–4.0)
RL on B, last 3 steps        0.4 (0.4–0.5)
  had the bias stayed        3.2 (3.1–3.3)
chance, by token/prompt                0.1               0.5

rollout, training fp32        other experts, %  log ratio’s variance      replay leaves, %
router bf16                            4 (3–4)   0.002 (0.002–0.003)      0.03 (0.02–0.04)
router fp8                             8 (7–9)   0.005 (0.005–0.007)       0.08 (0.04–0.1)
all bf16                               4 (3–4)   0.003 (0.002–0.003)         0.4 (0.3–0.5)
all fp8                             12 (11–12)                  0.01            30 (20–40)
*/
import * as tf from '@tensorflow/tfjs'
import '@tensorflow/tfjs-backend-wasm'
import { engines } from './rl/replay.js'
import { decimals, row, significant, spread } from './rl/spread.js'
import { type Figures, runStages } from './rl/stage.js'

await tf.setBackend('wasm')
const tell = (text: string): boolean => process.stderr.isTTY && process.stderr.write(`\r\u001b[K${text}`)
const runs = [1, 2, 3].map((seed) => runStages(seed, (what) => tell(`model ${seed} of 3: ${what}`)))
tell('')
const of = (figure: (run: Figures) => number, write = decimals(1)): string => spread(runs.map(figure), write)

row('mean (least–most) of 3', ['right on A, %', 'right on B, %', 'looks again at B'], 18)
for (const [i, name] of ['fine-tuned', 'after 8 steps of RL on A', 'after 20 more on B'].entries()) {
  const right = [0, 1].map((domain) => of(({ exams }) => 100 * exams[i].right[domain], decimals(0)))
  row(name, [...right, of(({ exams }) => exams[i].thinking[1])], 18)
}
console.log()
row('router frozen', ['MaxVio'], 18)
row('RL on A, last 3 steps', [of(({ onA }) => onA)], 18)
row('RL on B, first step', [of(({ firstOnB }) => firstOnB)], 18)
row('RL on B, last 3 steps', [of(({ onB }) => onB)], 18)
row('  had the bias stayed', [of(({ stayed }) => stayed)], 18)
row('chance, by token/prompt', [of(({ chance }) => chance), of((run) => run.chanceOfPrompts)], 18)
console.log()
row('rollout, training fp32', ['other experts, %', 'log ratio’s variance', 'replay leaves, %'], 22)
for (const name of Object.keys(engines)) {
  const differ = of(({ replay }) => 100 * replay[name].differ, decimals(0))
  const variance = of(({ replay }) => replay[name].anew, significant(1))
  const left = of(({ replay }) => (100 * replay[name].replayed) / replay[name].anew, significant(1))
  row(name, [differ, variance, left], 22)
}

// GRPO of 128 prompts × 16 in 2 micro-batches, u = 0.02. 16 answers to a prompt look alike: loads are as uneven as those of
// 128 tokens, and the bias can do no better. Replay hands on who was chosen, and nothing else of the rollout's engine.
// B gains 6 points with a third of the looks, for length control pays for brevity; A loses 3 of its 5 points meanwhile.
