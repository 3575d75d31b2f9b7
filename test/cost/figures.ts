import {
  activeParametersOf,
  allToAllBytesPerToken,
  computeBoundTokens,
  computeBoundTokensOf,
  computeBoundTokensPerSecond,
  contiguousRanks,
  countParameters,
  decodeBytes,
  distinctExperts,
  expectedDistinctExperts,
  expectedGroupsTouched,
  expectedLargestNormal,
  expectedStraggler,
  gaussianStraggler,
  groupsTouched,
  groupsTouchedChances,
  hardware,
  idleShare,
  largeBatchTokensPerSecond,
  largestBatch,
  linearPlacement,
  loadOf,
  memoryBoundTokensPerSecond,
  memoryOf,
  nemotron3Nano,
  placeExperts,
  presets,
  sequenceBytes,
  storageBytes,
  stragglerFactor,
  streams,
  tokensToTouch,
} from 'moesim'
import { distance, fair, times } from './fair.js'
import { gptOss, nano, qwen3 } from './models.js'

/** Figures as they were published or derived elsewhere, to their digits, and how they are had here. */
export interface Figure {
  what: string
  printed: string
  ours: () => string
  /** Who is right where the two differ, and what is left of the figure. */
  differs?: string
  /** What else to know of it. */
  note?: string
  /** Means of simulated batches less what is expected of them, in standard errors; of figures that chance is part of. */
  simulated?: () => number[]
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

const draws = (name: string) => streams('figures')(name)

/** Experts read by so many tokens, as the formula has them and as they are counted. */
const simulatedDistinct = (name: Name, batches: readonly number[]): number[] => {
  const own = draws(name)
  const { numExperts, topK } = choices(name)
  return batches.map((tokens) =>
    distance(
      expectedDistinctExperts({ numExperts, topK, tokens }),
      times(200, () => distinctExperts(fair(own, tokens, numExperts, topK))),
    ),
  )
}

/** Groups that 5,000 tokens touch, as the formula has them and as they are counted; `of` is what is looked at. */
const simulatedTouched = (
  name: Name,
  groups: number,
  wanted: number,
  of: (touched: number) => number,
): number => {
  const { numExperts, topK } = choices(name)
  const routing = fair(draws(`${name} over ${groups}`), 5000, numExperts, topK)
  return distance(wanted, Array.from(groupsTouched(routing, contiguousRanks(numExperts, groups)), of))
}
const itself = (touched: number): number => touched

/** The straggler factor of so many batches on 8, 16 and 64 ranks, as expected and as counted. */
const simulatedStragglers = (
  numExperts: number,
  topK: number,
  tokens: number,
  batches: number,
  of = expectedStraggler,
): number[] => {
  const own = draws(`${numExperts}/${topK}, ${tokens} tokens`)
  const loads = times(batches, () => loadOf(fair(own, tokens, numExperts, topK)))
  return [8, 16, 64].map((ranks) =>
    distance(
      of({ numExperts, topK, tokens, ranks }),
      loads.map((load) =>
        stragglerFactor(load, linearPlacement(load, { replicas: numExperts, ranks }), ranks),
      ),
    ),
  )
}

const distinct = (name: Name, printed: string): Figure => ({
  what: `${titled(name)}: experts read by 1, 8, 16, 32, 64, 128 tokens`,
  printed,
  ours: () =>
    rounded(
      [1, 8, 16, 32, 64, 128].map((tokens) => expectedDistinctExperts({ ...choices(name), tokens })),
      1,
    ),
  simulated: () => simulatedDistinct(name, [1, 8, 16, 32, 64, 128]),
})

const coverage = (name: Name, printed: string, differs?: string): Figure => ({
  what: `${titled(name)}: tokens that read 90 % and 99 % of the experts`,
  printed,
  ours: () => [0.9, 0.99].map((share) => tokensToTouch(share, choices(name))).join(' '),
  simulated: () =>
    simulatedDistinct(
      name,
      [0.9, 0.99].map((share) => tokensToTouch(share, choices(name))),
    ),
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

/** The chance that a token of DeepSeek-V3 needs 4 nodes of 8 at most. */
const withinFour = (): number =>
  groupsTouchedChances({ ...choices('DeepSeek-V3'), groups: 8 })
    .subarray(0, 5)
    .reduce((sum, chance) => sum + chance, 0)

const traffic = (topK: number, width: number): number =>
  allToAllBytesPerToken({ topK, width, dispatch: 'fp8', combine: 'bf16' })

const fp8 = { weights: 'fp8', activations: 'fp8' } as const
const bf16 = { weights: 'bf16', activations: 'bf16' } as const
const { h100, h200, b200 } = hardware
const at16K = { contextTokens: 16384 }
const full = (model: typeof nano) => ({ ...at16K, batch: largestBatch(model, h200, at16K) })
const models = [nano, gptOss, qwen3]
const speed = (model: typeof nano, batch: number): number =>
  memoryBoundTokensPerSecond(model, h200, { ...at16K, batch })
const deepEpBytes = 128 * 8 * 7168 * storageBytes['fp8-block128']

const readme = { replicas: 16, groups: 4, nodes: 2, ranks: 8 }
const readmeLoads = [
  [90, 132, 40, 61, 104, 165, 39, 4, 73, 56, 183, 86],
  [20, 107, 104, 64, 19, 197, 187, 157, 172, 86, 16, 27],
]
const readmeSlots = ['5 6 5 7 8 4 3 4 10 9 10 2 0 1 11 1', '7 10 6 8 6 11 8 9 2 4 5 1 5 0 3 1']

const parts = (): Record<string, { total: number; active: number }> => countParameters(nemotron3Nano).parts
/** Parameters of one layer of its kind. */
const ofLayer = (part: string, layers: number): number => parts()[part].total / layers
const moe = ['routedExperts', 'sharedExperts', 'router']
const qwen3Bf16 = (): typeof nano => memoryOf(presets['qwen3-30b-a3b'])
const kibPerToken = (model: typeof nano): number =>
  model.caches.reduce((sum, { bytesPerToken }) => sum + bytesPerToken, 0) / 1024

/** The same, simulated once however often it is asked for. */
function remembered(figure: Figure): Figure {
  const { simulated } = figure
  let errors: number[] | undefined
  return simulated ? { ...figure, simulated: () => (errors ??= simulated()) } : figure
}

const given: Figure[] = [
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
    note: '63, 1 − 1/e, where E is large',
    simulated: () => simulatedDistinct('Nano', [21]),
  },
  {
    what: 'Nano: experts read by 22 tokens, and all 128 over that',
    printed: '83.5 1.53',
    ours: () => {
      const read = expectedDistinctExperts({ ...choices('Nano'), tokens: 22 })
      return `${read.toFixed(1)} ${(128 / read).toFixed(2)}`
    },
    simulated: () => simulatedDistinct('Nano', [22]),
  },
  {
    what: 'Qwen3: experts read by 4 tokens over those of one; the same, 31 % fewer',
    printed: '3.64 2.51',
    ours: () => {
      const read = expectedDistinctExperts({ ...choices('Qwen3'), tokens: 4 }) / 8
      return list([read, Number(read.toFixed(2)) * 0.69], 2)
    },
    simulated: () => simulatedDistinct('Qwen3', [4]),
  },
  {
    what: 'Nano fp8: GB of weights read by 1, 8, 22, 64, 128 tokens',
    printed: '3.23 11.2 21.0 29.9 31.2',
    ours: () => [1, 8, 22, 64, 128].map((batch) => (nanoBytes(batch) / 1e9).toPrecision(3)).join(' '),
    simulated: () => {
      const { commonBytes, experts } = nano
      const [{ layers, expertBytes }] = experts
      const own = draws('bytes')
      return [1, 8, 22, 64, 128].map((batch) =>
        distance(
          nanoBytes(batch) / 1e9,
          times(
            200,
            () => (commonBytes + layers * expertBytes * distinctExperts(fair(own, batch, 128, 6))) / 1e9,
          ),
        ),
      )
    },
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
    what: 'DeepSeek-V3: nodes of 8 and GPUs of 64 a token needs',
    printed: '5.295 7.676',
    ours: () => list([touched('DeepSeek-V3', 8), touched('DeepSeek-V3', 64)], 3),
    simulated: () =>
      [8, 64].map((groups) =>
        simulatedTouched('DeepSeek-V3', groups, touched('DeepSeek-V3', groups), itself),
      ),
  },
  {
    what: 'DeepSeek-V3: nodes of 8, were experts drawn with replacement',
    printed: '5.251',
    ours: () => list([8 * (1 - (7 / 8) ** 8)], 3),
  },
  {
    what: 'DeepSeek-V3: share of tokens that need 4 nodes of 8 or fewer; those that a limit of 4 changes, percent',
    printed: '17.5 82.5',
    ours: () => list([100 * withinFour(), 100 * (1 - withinFour())], 1),
    simulated: () => [simulatedTouched('DeepSeek-V3', 8, withinFour(), (nodes) => Number(nodes <= 4))],
  },
  {
    what: 'Nano: devices of 2, 4, 8, 16, 32, 64 that a token needs',
    printed: '1.972 3.316 4.471 5.224 5.653 5.882',
    ours: () =>
      list(
        [2, 4, 8, 16, 32, 64].map((groups) => touched('Nano', groups)),
        3,
      ),
    simulated: () =>
      [2, 4, 8, 16, 32, 64].map((groups) =>
        simulatedTouched('Nano', groups, touched('Nano', groups), itself),
      ),
  },
  {
    what: 'Nano: chance that a device of 8 is needed; as LLMServingSim has it',
    printed: '0.559 0.551',
    ours: () => list([touched('Nano', 8) / 8, 1 - (7 / 8) ** 6], 3),
    simulated: () => [simulatedTouched('Nano', 8, touched('Nano', 8) / 8, (devices) => devices / 8)],
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
    simulated: () => {
      const own = draws('normal')
      const largest = (n: number): number => Math.max(...times(n, () => own.normal()))
      return [8, 16, 32, 64, 128, 256, 512].map((n) =>
        distance(
          expectedLargestNormal(n),
          times(400, () => largest(n)),
        ),
      )
    },
  },
  {
    what: 'straggler, 64/8, 64 tokens on 8, 16, 64 ranks, closed form',
    printed: '1.168 1.294 1.781',
    ours: () => stragglers(64, 8, 64),
    note: 'an approximation, too low where loads are small; what is simulated comes next',
  },
  {
    what: 'the same, as simulated',
    printed: '1.177 1.302 1.866',
    ours: () => stragglers(64, 8, 64, expectedStraggler),
    differs:
      '20,000 batches give 1.1704 ± 0.0004, 1.3033 ± 0.0006 and 1.8465 ± 0.0012; a batch has a deviation of 0.06, 0.08 and 0.17, so that a few hundred are off by as much',
    simulated: () => simulatedStragglers(64, 8, 64, 3000),
  },
  {
    what: 'straggler, 64/8, 4096 tokens, closed form',
    printed: '1.021 1.037 1.098',
    ours: () => stragglers(64, 8, 4096),
    simulated: () => simulatedStragglers(64, 8, 4096, 60, gaussianStraggler),
  },
  {
    what: 'the same, as simulated',
    printed: '1.021 1.037 1.099',
    ours: () => stragglers(64, 8, 4096, expectedStraggler),
    simulated: () => simulatedStragglers(64, 8, 4096, 60),
  },
  {
    what: 'straggler, 128/6, 4096 tokens, closed form',
    printed: '1.025 1.044 1.117',
    ours: () => stragglers(128, 6, 4096),
    simulated: () => simulatedStragglers(128, 6, 4096, 60, gaussianStraggler),
  },
  // placement
  {
    what: 'EPLB, the two layers of its README: busiest rank of 8 over the mean',
    printed: '1.208 1.242',
    ours: () =>
      list(
        readmeLoads.map((load) => stragglerFactor(load, placeExperts(load, readme), 8)),
        3,
      ),
  },
  ...readmeLoads.map((load, layer) => ({
    what: `the same: experts in the slots of layer ${layer}`,
    printed: readmeSlots[layer],
    ours: () => placeExperts(load, readme).experts.join(' '),
  })),
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
    what: 'Nano: parameters of an expert, of the shared experts and the router of a layer',
    printed: '9977856 19955712 344064',
    ours: () =>
      list([ofLayer('routedExperts', 23 * 128), ofLayer('sharedExperts', 23), ofLayer('router', 23)], 0),
  },
  {
    what: 'Nano: of a mixture-of-experts layer, those of a token, and their share in percent',
    printed: '1297465344 80166912 6.18',
    ours: () => {
      const sum = (of: 'total' | 'active'): number =>
        moe.reduce((all, part) => all + parts()[part][of], 0) / 23
      return `${sum('total')} ${sum('active')} ${((100 * sum('active')) / sum('total')).toFixed(2)}`
    },
  },
  {
    what: 'Nano: of a Mamba layer, of an attention layer, of the embedding',
    printed: '38742208 23396352 352321536',
    ours: () => list([ofLayer('mamba', 23), ofLayer('attention', 6), ofLayer('embedding', 1)], 0),
  },
  {
    what: 'Nano: all parameters',
    printed: '31577937344',
    ours: () => String(countParameters(nemotron3Nano).total),
    differs: 'the figure leaves out the 2,944 correction biases of the routers, which those of a token count',
  },
  {
    what: 'Nano: parameters of a token without and with the embedding; the former of all, percent',
    printed: '3227754816 3580076352 10.2',
    ours: () => {
      const { total, active } = countParameters(nemotron3Nano)
      return `${active.withHead} ${active.withEmbedding} ${((100 * active.withHead) / total).toFixed(1)}`
    },
  },
  {
    what: 'Nano: share of the shared experts in the operations of a token’s experts, percent',
    printed: '25',
    ours: () => {
      const { sharedExperts, routedExperts } = parts()
      return list([(100 * sharedExperts.active) / (sharedExperts.active + routedExperts.active)], 0)
    },
  },
  {
    what: 'Qwen3-30B: billion parameters of a token; how many more Nano has, percent',
    printed: '3.04 6',
    ours: () => {
      const [own, other] = [qwen3, nano].map(activeParametersOf)
      return `${(own / 1e9).toFixed(2)} ${(100 * (other / own - 1)).toFixed(0)}`
    },
  },
  {
    what: 'KiB of cache for a token: Nano bf16, fp8, Qwen3-30B bf16, fp8',
    printed: '6 3 96 48',
    ours: () => [memoryOf(nemotron3Nano), nano, qwen3Bf16(), qwen3].map(kibPerToken).join(' '),
  },
  {
    what: 'gpt-oss-20b bf16: KiB for a token, beyond the window; MiB of the window',
    printed: '48 24 3',
    ours: () => {
      const at = (tokens: number): number => sequenceBytes(gptOss, tokens) / 1024
      const beyond = at(1001) - at(1000)
      return `${kibPerToken(gptOss)} ${beyond} ${(at(1000) - 1000 * beyond) / 1024}`
    },
  },
  {
    what: 'GiB of cache at 2^20 tokens: Nano bf16, Qwen3-30B bf16',
    printed: '6 96',
    ours: () =>
      [memoryOf(nemotron3Nano), qwen3Bf16()]
        .map((model) => (sequenceBytes(model, 2 ** 20) - model.stateBytes) / 2 ** 30)
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
        models.map((model) => memoryBoundTokensPerSecond(model, h200, full(model)) / 1e3),
        1,
      ),
  },
  {
    what: 'the same for any batch',
    printed: '32.3 11.8 6.0',
    ours: () =>
      list(
        models.map((model) => largeBatchTokensPerSecond(model, h200, 16384) / 1e3),
        1,
      ),
  },
  {
    what: 'relative to Qwen3-30B-A3B: Nano',
    printed: '5.9',
    ours: () =>
      (
        memoryBoundTokensPerSecond(nano, h200, full(nano)) /
        memoryBoundTokensPerSecond(qwen3, h200, full(qwen3))
      ).toFixed(2),
    differs: '5.849, which rounds to 5.8; 5.9 is 5.85 rounded once more',
  },
  {
    what: 'relative to Qwen3-30B-A3B: gpt-oss-20b',
    printed: '2.35',
    ours: () =>
      (
        memoryBoundTokensPerSecond(gptOss, h200, full(gptOss)) /
        memoryBoundTokensPerSecond(qwen3, h200, full(qwen3))
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
    ours: () => (computeBoundTokensPerSecond(nano, h200.flopsPerSecond.fp8) / 1e3).toFixed(0),
    differs: '306.56; the figure is that of 3.23 billion parameters of a token, 306.35',
  },
]

export const figures: Figure[] = given.map(remembered)

/** The table of test/README.md: `npm run figures` writes it there. */
export function figuresTable(): string {
  const rows = figures.map(({ what, printed, ours, differs, note = differs, simulated }) => {
    const off = simulated?.().map((errors) => errors.toFixed(1).replace('-0.0', '0.0').replace('-', '−'))
    const here = note ? `${ours()} (${note})` : ours()
    return `| ${what} | ${printed} | ${here} | ${off?.join(' ') ?? ''} |`
  })
  return ['| figure | elsewhere | here | simulated |', '|---|---|---|---|', ...rows].join('\n')
}
