/*
What does "A3B" mean elsewhere?

npm run lesson 09

billions a token uses    backbone  with head  with both  published  is
nemotron-3-nano-30b-a3b     2.875B     3.228B     3.580B       3.2B  with head, rounds
qwen3-30b-a3b               2.731B     3.042B     3.353B       3.3B  with both, truncates
qwen1.5-moe-a2.7b           2.067B     2.378B     2.689B       2.7B  with both, rounds
gpt-oss-20b                 3.029B     3.608B     4.187B       3.6B  with head, rounds
mixtral-8x7b               12.618B    12.749B    12.880B      12.9B  with both, rounds
deepseek-v3                35.699B    36.626B    37.552B        37B  with head, rounds
glm-4.5                    32.080B    32.856B    33.632B        32B  backbone, rounds
jetmoe-8b                   2.266B     2.331B     2.331B       2.2B  backbone, truncates
hunyuan-large              50.496B    51.322B    51.322B        52B  none of these, differs
llama-4-scout-17b-16e      15.104B    16.138B    17.173B        17B  with both, rounds
*/
import { countParameters, presets, publishedModels } from 'moesim'

const names = [
  'nemotron-3-nano-30b-a3b',
  'qwen3-30b-a3b',
  'qwen1.5-moe-a2.7b',
  'gpt-oss-20b',
  'mixtral-8x7b',
  'deepseek-v3',
  'glm-4.5',
  'jetmoe-8b',
  'hunyuan-large',
  'llama-4-scout-17b-16e',
]
const words = { backbone: 'backbone', withHead: 'with head', withEmbedding: 'with both' }
const billions = (count: number): string => `${(count / 1e9).toFixed(3)}B`.padStart(9)

console.log('billions a token uses    backbone  with head  with both  published  is')
for (const name of names) {
  const { backbone, withHead, withEmbedding } = countParameters(presets[name]).active
  const { billions: published, as, verdict } = publishedModels[name].active!
  const figures = [billions(backbone), billions(withHead).padStart(10), billions(withEmbedding).padStart(10)]
  const sums = as.map((sum) => words[sum]).join(', ') || 'none of these'
  console.log([name.padEnd(24), ...figures, `${published}B`.padStart(10), ` ${sums}, ${verdict}`].join(' '))
}

// Each figure is one of three counts: without embedding and head, with the head, with both. A tied head counts once, so
// its last two are the same; Hunyuan-Large's 52B counts its tied table twice. JetMoE and Qwen3 cut a figure off that would
// round up. Compare models by your own count, under one convention: moesim count a b.
