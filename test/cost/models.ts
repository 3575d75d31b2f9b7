import { type ModelMemory, memoryOf, nemotron3Nano, presets, type WeightPolicy } from 'moesim'

/** Nemotron 3 Nano and Qwen3-30B-A3B with weights, keys and values in fp8. */
export const nano: ModelMemory = memoryOf(nemotron3Nano, { weights: 'fp8', keyValues: 'fp8' })
export const qwen3: ModelMemory = memoryOf(presets['qwen3-30b-a3b'], { weights: 'fp8', keyValues: 'fp8' })

/** gpt-oss-20b as it is published: experts in MXFP4 (here with their biases, which are bf16), all else bf16. */
const mxfp4Experts: WeightPolicy = (part) => (part === 'routedExperts' ? 'mxfp4' : 'bf16')
export const gptOss: ModelMemory = memoryOf(presets['gpt-oss-20b'], { weights: mxfp4Experts })
