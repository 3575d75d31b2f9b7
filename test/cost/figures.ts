import {
  allToAllBytesPerToken,
  computeBoundTokens,
  computeBoundTokensOf,
  computeThroughputBound,
  countParameters,
  decodeBytes,
  expectedDistinctExperts,
  expectedGroupsTouched,
  expectedLargestNormal,
  expectedStraggler,
  gaussianStraggler,
  groupsTouchedChances,
  hardware,
  idleShare,
  largestBatch,
  memoryOf,
  memoryThroughputBound,
  nemotron3Nano,
  sequenceBytes,
  storageBytes,
  throughputLimit,
  tokensToTouch,
} from 'moesim'
import { gptOss, nano, qwen3 } from './models.js'

/** Figures as they were published or derived elsewhere, to their digits, and how they are had here. */
export interface Figure {
  what: string
  printed: string
  ours: () => string
  /** Who is right where the two differ, and what is left of the figure. */
  differs?: string
}

const routers = {
  Nano: [128, 6],
  Qwen3: [128, 8],
  'gpt-oss': [32, 4],
  'DeepSeek-V3': [256, 8],
  Super: [512, 22],
} as const
type Name = keyof typeof routers
const choices = (name: Name) => ({ numExperts: routers[name][0], topK: routers[name][1] })
const titled = (name: Name): string => `${name} ${routers[name].join('/')}`

const list = (values: readonly number[], digits: number): string =>
  values.map((x) => x.toFixed(digits)).join(' ')
const rounded = (values: readonly number[], digits: number): string =>
  values.map((x) => String(Number(x.toFixed(digits)))).join(' ')

const distinct = (name: Name, printed: string): Figure => ({
  what: `${titled(name)}: experts read by 1, 8, 16, 32, 64, 128 tokens`,
  printed,
  ours: () =>
    rounded(
      [1, 8, 16, 32, 64, 128].map((tokens) => expectedDistinctExperts({ ...choices(name), tokens })),
      1,
    ),
})

const coverage = (name: Name, printed: string, differs?: string): Figure => ({
  what: `${titled(name)}: tokens that read 90 % and 99 % of the experts`,
  printed,
  ours: () => [0.9, 0.99].map((share) => tokensToTouch(share, choices(name))).join(' '),
  ...(differs && { differs }),
})
const nearest =
  'the least whole number that reaches the share; the figure is rounded to the nearest, one too few'

const nanoBytes = (batch: number): number => {
  const { commonBytes, expertBytes } = decodeBytes(nano, { batch, contextTokens: 0 })
  return commonBytes + expertBytes
}

const touched = (name: Name, groups: number): number => expectedGroupsTouched({ ...choices(name), groups })

const stragglers = (numExperts: number, topK: number, tokens: number, of = gaussianStraggler): string =>
  list(
    [8, 16, 64].map((ranks) => of({ numExperts, topK, tokens, ranks })),
    3,
  )

const traffic = (topK: number, width: number): number =>
  allToAllBytesPerToken({ topK, width, dispatch: 'fp8', combine: 'bf16' })

const fp8 = { weights: 'fp8', activations: 'fp8' } as const
const bf16 = { weights: 'bf16', activations: 'bf16' } as const
const { h100, h200, b200 } = hardware
const at16K = { contextTokens: 16384 }
const full = (model: typeof nano) => ({ ...at16K, batch: largestBatch(model, h200, at16K) })
const models = [nano, gptOss, qwen3]
const speed = (model: typeof nano, batch: number): number =>
  memoryThroughputBound(model, h200, { ...at16K, batch })
const deepEpBytes = 128 * 8 * 7168 * storageBytes['fp8-block128']

export const figures: Figure[] = [
  // experts that a batch reads
  distinct('Nano', '6 40.8 68.6 100.5 122.1 127.7'),
  distinct('Qwen3', '8 51.6 82.4 111.8 125.9 128'),
  distinct('gpt-oss', '4 21 28.2 31.6 32 32'),
  distinct('DeepSeek-V3', '8 57.4 102 163.3 222.4 251.6'),
  distinct('Super', '22 151.7 258.4 386.4 481.2 510.1'),
  coverage('Nano', '48 96'),
  coverage('Qwen3', '36 71', nearest),
  coverage('gpt-oss', '17 34', nearest),
  coverage('DeepSeek-V3', '73 145', nearest),
  coverage('Super', '52 105', nearest),
  {
    what: 'Nano: share of the experts read by E / K = 21 tokens, percent',
    printed: '64',
    ours: () => list([(100 * expectedDistinctExperts({ ...choices('Nano'), tokens: 21 })) / 128], 0),
  },
  {
    what: 'Nano: experts read by 22 tokens, and all 128 over that',
    printed: '83.5 1.53',
    ours: () => {
      const read = expectedDistinctExperts({ ...choices('Nano'), tokens: 22 })
      return `${read.toFixed(1)} ${(128 / read).toFixed(2)}`
    },
  },
  {
    what: 'Qwen3: experts read by 4 tokens over those of one; the same, 31 % fewer',
    printed: '3.64 2.51',
    ours: () => {
      const times = expectedDistinctExperts({ ...choices('Qwen3'), tokens: 4 }) / 8
      return list([times, Number(times.toFixed(2)) * 0.69], 2)
    },
  },
  {
    what: 'Nano fp8: GB of weights read by 1, 8, 22, 64, 128 tokens',
    printed: '3.23 11.2 21.0 29.9 31.2',
    ours: () => [1, 8, 22, 64, 128].map((batch) => (nanoBytes(batch) / 1e9).toPrecision(3)).join(' '),
  },
  {
    what: 'the same for a token, in MB',
    printed: '3228 1402 955 467 244',
    ours: () =>
      list(
        [1, 8, 22, 64, 128].map((batch) => nanoBytes(batch) / batch / 1e6),
        0,
      ),
    differs: '128 tokens read 127.7 experts, 31.16 GB; 244 is 31.225 GB, all 128',
  },
  // devices and nodes that a token needs
  {
    what: 'DeepSeek-V3: nodes of 8 a token needs; drawn with replacement; GPUs of 64',
    printed: '5.295 5.251 7.676',
    ours: () => list([touched('DeepSeek-V3', 8), 8 * (1 - (7 / 8) ** 8), touched('DeepSeek-V3', 64)], 3),
  },
  {
    what: 'DeepSeek-V3: chance that a token needs 4 nodes of 8 or fewer, percent',
    printed: '17.5',
    ours: () => {
      const chances = groupsTouchedChances({ ...choices('DeepSeek-V3'), groups: 8 })
      return (100 * chances.subarray(0, 5).reduce((sum, chance) => sum + chance, 0)).toFixed(1)
    },
  },
  {
    what: 'Nano: devices of 2, 4, 8, 16, 32, 64 that a token needs',
    printed: '1.972 3.316 4.471 5.224 5.653 5.882',
    ours: () =>
      list(
        [2, 4, 8, 16, 32, 64].map((groups) => touched('Nano', groups)),
        3,
      ),
  },
  {
    what: 'Nano: chance that a device of 8 is needed; as LLMServingSim has it',
    printed: '0.559 0.551',
    ours: () => list([touched('Nano', 8) / 8, 1 - (7 / 8) ** 6], 3),
  },
  {
    what: 'DeepSeek-V3: share of network traffic that a limit of 4 nodes saves where all 4 are used, percent',
    printed: '24',
    ours: () => list([100 * (1 - 4 / touched('DeepSeek-V3', 8))], 0),
  },
  // the slowest rank under fair routing
  {
    what: 'expected largest of 8, 16, 32, 64, 128, 256, 512 normal draws',
    printed: '1.4236 1.7660 2.0697 2.3437 2.5946 2.8269 3.0439',
    ours: () => list([8, 16, 32, 64, 128, 256, 512].map(expectedLargestNormal), 4),
  },
  {
    what: 'straggler, 64/8, 64 tokens on 8, 16, 64 ranks, closed form',
    printed: '1.168 1.294 1.781',
    ours: () => stragglers(64, 8, 64),
  },
  {
    what: 'the same, as simulated',
    printed: '1.177 1.302 1.866',
    ours: () => stragglers(64, 8, 64, expectedStraggler),
    differs:
      '20,000 batches give 1.1704 ± 0.0004, 1.3033 ± 0.0006 and 1.8465 ± 0.0012; the figures are of fewer',
  },
  {
    what: 'straggler, 64/8, 4096 tokens, closed form',
    printed: '1.021 1.037 1.098',
    ours: () => stragglers(64, 8, 4096),
  },
  {
    what: 'the same, as simulated',
    printed: '1.021 1.037 1.099',
    ours: () => stragglers(64, 8, 4096, expectedStraggler),
  },
  {
    what: 'straggler, 128/6, 4096 tokens, closed form',
    printed: '1.025 1.044 1.117',
    ours: () => stragglers(128, 6, 4096),
  },
  {
    what: 'share of time lost at MaxVio 0.72 and 0.04, percent',
    printed: '41.9 3.8',
    ours: () => list([100 * idleShare(1.72), 100 * idleShare(1.04)], 1),
  },
  // bytes of an all-to-all, fp8 out and bf16 back
  {
    what: 'bytes a token and layer: DeepSeek-V3, Nano, Qwen3-30B, Super, Super without its latent width',
    printed: '172032 48384 49152 67584 270336',
    ours: () =>
      list([traffic(8, 7168), traffic(6, 2688), traffic(8, 2048), traffic(22, 1024), traffic(22, 4096)], 0),
  },
  {
    what: 'MB a token: DeepSeek-V3 of 58 layers, Nano of 23, Qwen3-30B of 48',
    printed: '9.98 1.11 2.36',
    ours: () =>
      list(
        [58 * traffic(8, 7168), 23 * traffic(6, 2688), 48 * traffic(8, 2048)].map((x) => x / 1e6),
        2,
      ),
  },
  {
    what: 'DeepEP low latency, 128 tokens on 8 … 256 ranks: MB sent, over the published latency, GB/s',
    printed: '7.57 98.3 64.1 48.8 43.8 39.4 39.0',
    ours: () =>
      `${(deepEpBytes / 1e6).toFixed(2)} ${list(
        [77, 118, 155, 173, 192, 194].map((us) => deepEpBytes / us / 1e3),
        1,
      )}`,
  },
  // where experts turn compute-bound
  {
    what: 'tokens of an expert, fp8 on H100, H200, B200; bf16 on H100, H200',
    printed: '295 206 281 295 206',
    ours: () =>
      list(
        [
          ...[h100, h200, b200].map((device) => computeBoundTokens(device, fp8)),
          computeBoundTokens(h100, bf16),
          computeBoundTokens(h200, bf16),
        ],
        0,
      ),
  },
  {
    what: 'tokens of a batch on H200: Nano, Qwen3-30B, DeepSeek-V3; DeepSeek-V3 on H100',
    printed: '4398 3298 6597 9452',
    ours: () => {
      const batch = (device: typeof h100, name: Name): number =>
        computeBoundTokens(device, fp8) * (routers[name][0] / routers[name][1])
      return list(
        [batch(h200, 'Nano'), batch(h200, 'Qwen3'), batch(h200, 'DeepSeek-V3'), batch(h100, 'DeepSeek-V3')],
        0,
      )
    },
  },
  {
    what: 'Nano on H200 with the traffic of activations: tokens of an expert, of a batch',
    printed: '254 5414',
    ours: () => {
      const tokens = computeBoundTokensOf(h200, { width: 2688, expertWidth: 1856, gated: false, ...fp8 })
      return list([tokens, (tokens * 128) / 6], 0)
    },
  },
  // cache, state and what memory allows
  {
    what: 'Nano: parameters, those of a token without and with the embedding',
    printed: '31577940288 3227754816 3580076352',
    ours: () => {
      const { total, active } = countParameters(nemotron3Nano)
      return `${total} ${active.withHead} ${active.withEmbedding}`
    },
  },
  {
    what: 'KiB of cache for a token: Nano bf16, fp8, Qwen3-30B fp8, gpt-oss-20b beyond its window',
    printed: '6 3 48 24',
    ours: () =>
      [memoryOf(nemotron3Nano), nano, qwen3, gptOss]
        .map(({ caches: [{ bytesPerToken }] }) => bytesPerToken / 1024)
        .join(' '),
  },
  {
    what: 'GiB of cache at 2^20 tokens: Nano bf16, Qwen3-30B bf16',
    printed: '6 96',
    ours: () =>
      [memoryOf(nemotron3Nano), qwen3]
        .map(({ caches: [{ bytesPerToken }] }, i) => (bytesPerToken * (1 + i)) / 1024)
        .join(' '),
  },
  {
    what: 'Nano: MB of fp32 state and bf16 convolution inputs of a sequence',
    printed: '48.2 0.85',
    ours: () => {
      const state = (format: 'fp32' | 'bf16'): number => memoryOf(nemotron3Nano, { state: format }).stateBytes
      const ssm = 2 * (state('fp32') - state('bf16'))
      return `${(ssm / 1e6).toFixed(1)} ${((state('fp32') - ssm) / 1e6).toFixed(2)}`
    },
  },
  {
    what: 'the same in tokens of its bf16 cache',
    printed: '7851',
    ours: () => (nano.stateBytes / 6144).toFixed(0),
    differs: '7,989 for both; 7,851 is the state alone',
  },
  {
    what: 'GB of weights: Nano, gpt-oss-20b, Qwen3-30B-A3B',
    printed: '31.6 13.8 30.5',
    ours: () =>
      list(
        models.map(({ weightBytes }) => weightBytes / 1e9),
        1,
      ),
  },
  {
    what: 'MB of a sequence at 16K',
    printed: '99 406 805',
    ours: () =>
      list(
        models.map((model) => sequenceBytes(model, 16384) / 1e6),
        0,
      ),
  },
  {
    what: 'sequences that fit on an H200',
    printed: '958 278 119',
    ours: () => models.map((model) => largestBatch(model, h200, at16K)).join(' '),
  },
  {
    what: 'thousand tokens a second at that batch, at most',
    printed: '26.5 10.6 4.5',
    ours: () =>
      list(
        models.map((model) => memoryThroughputBound(model, h200, full(model)) / 1e3),
        1,
      ),
  },
  {
    what: 'the same for any batch',
    printed: '32.3 11.8 6.0',
    ours: () =>
      list(
        models.map((model) => throughputLimit(model, h200, 16384) / 1e3),
        1,
      ),
  },
  {
    what: 'relative to Qwen3-30B-A3B: Nano',
    printed: '5.9',
    ours: () =>
      (
        memoryThroughputBound(nano, h200, full(nano)) / memoryThroughputBound(qwen3, h200, full(qwen3))
      ).toFixed(2),
    differs: '5.849, which rounds to 5.8; 5.9 is 5.85 rounded again',
  },
  {
    what: 'relative to Qwen3-30B-A3B: gpt-oss-20b',
    printed: '2.35',
    ours: () =>
      (
        memoryThroughputBound(gptOss, h200, full(gptOss)) / memoryThroughputBound(qwen3, h200, full(qwen3))
      ).toFixed(2),
  },
  {
    what: 'Nano over Qwen3-30B-A3B at a batch of 1, 64, 128',
    printed: '1.14 2.06 2.66',
    ours: () =>
      list(
        [1, 64, 128].map((batch) => speed(nano, batch) / speed(qwen3, batch)),
        2,
      ),
  },
  {
    what: 'at 256; Nano at 185 over Qwen3-30B-A3B at 119',
    printed: '3.4 3.3',
    ours: () => list([speed(nano, 256) / speed(qwen3, 256), speed(nano, 185) / speed(qwen3, 119)], 1),
  },
  {
    what: 'Nano: thousand tokens a second that computation allows at most, 1979 TFLOP/s',
    printed: '306',
    ours: () => (computeThroughputBound(nano, h200.flopsPerSecond.fp8) / 1e3).toFixed(0),
    differs: '306.56 rounds to 307',
  },
]

/** The table of test/README.md. */
export function figuresTable(): string {
  const rows = figures.map(
    ({ what, printed, ours, differs }) =>
      `| ${what} | ${printed} | ${differs ? `${ours()} (${differs})` : ours()} |`,
  )
  return ['| figure | elsewhere | here |', '|---|---|---|', ...rows].join('\n')
}
