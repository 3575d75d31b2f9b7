/*
Does a model with balanced experts learn a language?

npm run lesson 15

bits per byte  load of each expert of both layers
5.28           ▆▄▅▄▅▄▄▄  ▄▄▃▅▂▇▄▇
3.68           ▃▅▃█▄▄▄▄  ▅▅▃▅▃▆▆▄
3.37           ▄▄▄▅▄▅▅▅  ▄▄▆▄▅▄▅▄
3.19           ▅▄▄▄▄▅▄▅  ▄▅▄▅▅▄▄▄
3.10           ▄▄▅▅▄▅▄▅  ▄▄▄▅▄▄▄▆
3.02           ▄▅▄▅▅▄▅▄  ▅▄▄▄▅▅▅▄
2.97           ▄▄▅▄▄▅▅▅  ▄▅▅▅▅▄▅▄
2.86           ▅▅▅▄▄▄▄▄  ▅▅▅▅▄▄▅▄

held out, bits per byte
unigrams   4.42
bigrams    3.46
trigrams   2.83
the model  2.81

MaxVio of its layers, held out: 0.04 and 0.04, by chance 0.01
*/
import { biasBalance, expectedMaxViolation, linearSchedule, maxViolation, wsdSchedule } from 'moesim'
import { adamW } from 'moesim/tf'
import { evaluate, languageModel, learn, reach, router } from './training/language-model.js'
import { learningRows } from './training/print.js'
import { progressOf, stepsOf } from './training/session.js'
import { heldOutText, ngramBits, text } from './training/text.js'

const steps = stepsOf(400)
const model = languageModel(1, biasBalance({ rate: linearSchedule({ from: 1e-2, to: 1e-3, over: steps }) }))
const [warmup, decay] = [Math.round(steps / 20), Math.round(steps / 4)]
const rate = wsdSchedule({ peak: 5e-3, warmup, stable: steps - warmup - decay, decay, end: 1e-4 })
const optimizer = adamW({ rate, beta2: 0.95, weightDecay: 0.1 })
const progress = progressOf(steps)
const learning = await learn(model, text, { steps, batch: 256, optimizer }, progress.tick)
progress.end()

console.log('bits per byte  load of each expert of both layers')
for (const row of learningRows(learning, 8)) console.log(row)

const { bits, loads } = evaluate(model, heldOutText)
console.log('\nheld out, bits per byte')
for (const [n, name] of ['unigrams', 'bigrams', 'trigrams'].entries()) {
  console.log(`${name.padEnd(11)}${ngramBits(n + 1, text, heldOutText, reach).toFixed(2)}`)
}
console.log(`the model  ${bits.toFixed(2)}`)
const chance = expectedMaxViolation({ ...router, tokens: heldOutText.length - reach })
const violations = loads.map((load) => maxViolation(load).toFixed(2)).join(' and ')
console.log(`\nMaxVio of its layers, held out: ${violations}, by chance ${chance.toFixed(2)}`)

// Moby-Dick, byte by byte, each from the eight before it; rows are 50 steps. The counts are of 1,150,199 bytes, and the
// model has been asked for 102,400 of them: a tenth, from which it predicts better than pairs of bytes and as well as
// triples. Both layers are level after a third of the steps. Chance takes bytes for independent; those of a text are not,
// and seven chapters are not the book. More steps: `npm run lesson 15 -- --steps 4000`.
