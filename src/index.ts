// The table of contents: every floor, from the ground up.

// ground: errors, exact mathematics, randomness

export { concatenate } from './arrays.js'
export { cumulative, dirichlet, gumbel, logGamma, pick, shuffle, zipf } from './distributions.js'
export { demand, demandNothingElse, demandWhole, InputError } from './errors.js'
export { exp, log, log1p, sigmoid, sinCosTurns, softplus, tanh } from './math.js'
export { expectedLargestNormal, normalCdf, normalDensity, normalQuantile } from './normal.js'
export { type Draws, type Streams, streams } from './random.js'
export { didYouMean } from './suggest.js'
export { threefry } from './threefry.js'
export { normalOf, type Ziggurat, ziggurat } from './ziggurat.js'

// formats: bytes in, values out and back

export { type Csv, readCsv, writeCsv } from './formats/csv.js'
export { float32Of, float64Of, int32Of } from './formats/decode.js'
export { float32Tensor } from './formats/encode.js'
export {
  decodeFloats,
  type FormatName,
  rounded,
  roundTo,
  type SmallFormat,
} from './formats/number-formats.js'
export { roundedNvfp4 } from './formats/nvfp4.js'
export { parsePythonJson } from './formats/python-json.js'
export {
  readSafetensors,
  type Safetensors,
  type Tensor,
  tensor,
  writeSafetensors,
} from './formats/safetensors.js'
export {
  type Dtype,
  readSafetensorsHeader,
  type SafetensorsHeader,
  safetensorsHeaderBytes,
  type TensorHeader,
} from './formats/safetensors-header.js'

// kernels: fast twins, same bits

export type { DrawnRouter } from './kernels/drawn-route.js'
export { linear } from './kernels/linear.js'
export type { Normals } from './kernels/normal-rows.js'

// model: what a model is

export { checkModel, defineModel } from './model/check.js'
export {
  type CheckpointComparison,
  type ComparedPart,
  compareCheckpoint,
} from './model/checkpoint/compare.js'
export { type CheckpointCount, countCheckpoint, type TensorEntry } from './model/checkpoint/count.js'
export { tensorPart } from './model/checkpoint/tensor-part.js'
export * from './model/config.js'
export { type FlopCount, type FlopOptions, flopsOf } from './model/flops.js'
export { fromHuggingFaceConfig, type HuggingFaceOptions, unplacedFields } from './model/huggingface/read.js'
export { setConfigFields } from './model/huggingface/set-fields.js'
export type { Choice, ModelType, Part } from './model/huggingface/types.js'
export * from './model/memory.js'
export { nemotron3Nano, tinyNemotronH } from './model/nemotron.js'
export { countParameters, type ParameterCount, type PartCount } from './model/parameters.js'
export { presets } from './model/presets.js'
export { type Fact, nemotron3NanoRecipe } from './model/recipe.js'
export { routerOf } from './model/router-of.js'
export { type StorageFormat, storageBytes } from './model/storage.js'
export { publishedModels } from './model/zoo/published-models.js'
export * from './model/zoo/zoo.js'

// router: score → select → weigh

export { asRouter } from './router/as-router.js'
export { type Assignment, balancedAssignment } from './router/assignment.js'
export { baseLayer } from './router/base-layer.js'
export { biasedLogitRouter } from './router/biased-logit.js'
export { type BipOptions, bipRouter } from './router/bip.js'
export { causalRouting } from './router/causal.js'
export type { ExpertChoices } from './router/choices.js'
export { type ResolvedRouter, type RouterConfig, resolveRouter } from './router/config.js'
export { type CosineWeights, cosineLogits, cosineRouter } from './router/cosine.js'
export { type ExpertChoiceOptions, expertChoice } from './router/expert-choice.js'
export { gshardTop2, gshardTop2Random, gshardTop2Sampled, type SecondChance } from './router/gshard.js'
export { type HashTableOptions, hashRouter, moduloHashTable, randomHashTable } from './router/hash.js'
export { type JointRouting, jointNorm } from './router/joint-norm.js'
export { linearRouter, routerLogits } from './router/linear.js'
export { llama4 } from './router/llama4.js'
export { maskPadding } from './router/logits.js'
export { moge } from './router/moge.js'
export { multiplicativeRouter } from './router/multiplicative.js'
export { additiveJitter, gumbelNoise, jitter, logitNoise } from './router/noise.js'
export { type NoisyTopKOptions, noisyTopK } from './router/noisy-top-k.js'
export { nullExperts } from './router/null-experts.js'
export {
  type LinearPrecision,
  linearRouterInPrecision,
  type Precision,
  routeInPrecision,
} from './router/precision.js'
export { type PreparedRoute, prepareRoute } from './router/prepare-route.js'
export type { Batch, Router, StepContext } from './router/protocol.js'
export { forcedBias, randomRouting } from './router/random-routing.js'
export { reluRouter } from './router/relu.js'
export { type Recorded, replayRouter } from './router/replay.js'
export { roundRobin } from './router/round-robin.js'
export { route } from './router/route.js'
export { routeAt } from './router/route-at.js'
export {
  loadOf,
  type Routing,
  type RoutingSizes,
  type ScoredRouting,
} from './router/routing.js'
export { onHidden, onLogits, onSelection, type RowStep } from './router/row-step.js'
export { type SinkhornMatrix, sinkhorn, sinkhornMatrix } from './router/sinkhorn.js'
export { softcap } from './router/softcap.js'
export { type SparseMixerOptions, sparseMixer, sparseMixerTraining } from './router/sparse-mixer.js'
export { standardizeLogits } from './router/standardize.js'
export { switchTop1 } from './router/switch.js'
export { type TopAnyGate, topAny, topAnyEvaluation } from './router/top-any.js'
export { topK } from './router/top-k.js'
export { topP } from './router/top-p.js'
export { weightGradient } from './router/weight-gradient.js'
export { identityWeights, type LongcatOptions, longcat, realExpertsPerToken } from './router/zero-experts.js'

// capacity: what the experts take

export { applyCapacity, type CapacityOptions } from './capacity/apply.js'
export { type Dispatch, dispatchOrder } from './capacity/dispatch.js'
export { expectedDropShare } from './capacity/expected-drops.js'
export { type FlaxformerGroupsOptions, flaxformerGroups } from './capacity/flaxformer-groups.js'
export { groupwise } from './capacity/groups.js'
export * from './capacity/order.js'
export { type PaddedRouting, padToCapacity, padToMultiple } from './capacity/pad.js'
export type { CapacityPolicy } from './capacity/protocol.js'
export { renormalize } from './capacity/renormalize.js'
export * from './capacity/rules.js'
export { unroutedTokens } from './capacity/unrouted.js'

// balance: load → next bias, and losses with their gradients

export { type AdaptiveCoefficient, adaptCoefficient } from './balance/adapt-coefficient.js'
export { addLosses } from './balance/add-losses.js'
export { type AuxLoss, type AuxLossOptions, auxLoss } from './balance/aux-loss.js'
export { type BiasBalanceOptions, type BiasState, biasBalance } from './balance/bias.js'
export { type BipState, bipBalance } from './balance/bip.js'
export { type CommunicationLossOptions, communicationLoss } from './balance/communication-loss.js'
export { type DeviceLossOptions, deviceLoss } from './balance/device-loss.js'
export { entropyLoss } from './balance/entropy-loss.js'
export { type GlobalAuxLoss, globalAuxLoss } from './balance/global-aux-loss.js'
export { gshardLoss } from './balance/gshard-loss.js'
export {
  type HistogramQuantileOptions,
  type HistogramQuantileState,
  histogramQuantileBalance,
} from './balance/histogram-quantile.js'
export { importanceLoss } from './balance/importance-loss.js'
export { type LoadImportanceLossOptions, loadImportanceLoss } from './balance/load-importance-loss.js'
export { type LongcatBalanceOptions, longcatBalance } from './balance/longcat.js'
export type { Logits, Loss, LossOptions } from './balance/loss.js'
export { multiplicativeBalance } from './balance/multiplicative.js'
export {
  type NoisyTopKLoss,
  type NoisyTopKLossOptions,
  noisyTopKLoss,
} from './balance/noisy-top-k-loss.js'
export { meanNullLoad } from './balance/null-load.js'
export { type PooledAuxLoss, type PooledAuxLossOptions, pooledAuxLoss } from './balance/pooled-aux-loss.js'
export { type Balance, noBalance, type Schedule, type Seen } from './balance/protocol.js'
export { type QuantileOptions, type QuantileState, quantileBalance } from './balance/quantile.js'
export { type RankPenaltyOptions, type RankPenaltyState, rankPenaltyBalance } from './balance/rank-penalty.js'
export {
  reluRegularizer,
  type SparsityController,
  type SparsityControllerOptions,
  sparsityController,
  sparsityOf,
} from './balance/relu-sparsity.js'
export {
  cosineSchedule,
  linearSchedule,
  piecewiseSchedule,
  type Ramp,
  wsdSchedule,
} from './balance/schedules.js'
export { seenOf } from './balance/seen.js'
export {
  type SequenceAuxLoss,
  type SequenceAuxLossOptions,
  sequenceAuxLoss,
} from './balance/sequence-aux-loss.js'
export { type SmebuOptions, type SmebuState, smebuBalance } from './balance/smebu.js'
export { type SwitchLossOptions, switchLoss } from './balance/switch-loss.js'
export { type ZLoss, zLoss } from './balance/z-loss.js'

// metrics: how balanced, how specialised, against chance

export { type Agreement, agreement, differingTokens } from './metrics/agreement.js'
export { agreementOfLayers, type LayersAgreement } from './metrics/agreement-of-layers.js'
export { meanBalancedness, pooledBalancedness } from './metrics/balancedness.js'
export { chanceOf, expectedMaxViolation, type FairRouting } from './metrics/chance.js'
export { expertUsage, fractionLeftBehind, routerConfidence } from './metrics/dispatch.js'
export { type FairOverlap, fairOverlap } from './metrics/fair-overlap.js'
export {
  balanceOfLayers,
  globalMaxViolation,
  layersOf,
  meanMaxViolation,
  sumLoads,
} from './metrics/layers.js'
export {
  type ExpertChoiceShape,
  futureLeakage,
  leakageBound,
  leakageCapacity,
} from './metrics/leakage.js'
export * from './metrics/load.js'
export { type Locality, locality } from './metrics/locality.js'
export { expectedSetChanges } from './metrics/noise.js'
export { type Predictability, predictability } from './metrics/predictability.js'
export { routerSaturation } from './metrics/saturation.js'
export {
  type Companions,
  coActivation,
  coActivationShares,
  companions,
  type DomainPreference,
  domainPreferences,
  domainSpecialization,
  loadByDomain,
  mutualInformation,
} from './metrics/specialization.js'
export * from './metrics/spread.js'
export {
  type VocabularySpecialization,
  vocabularySpecialization,
  type WordPreference,
} from './metrics/vocabulary.js'

// layer: the experts that the routing leads to

export type { Activation } from './kernels/activations.js'
export { type CheckpointOptions, layerTensors, readLayerWeights } from './layer/checkpoint.js'
export { type LayerConfig, layerOf } from './layer/config.js'
export { forwardLayer, type LayerForward, prepareLayer, routeLayer } from './layer/forward.js'
export { type ExpertLayout, type WeightLayout, weightLayouts } from './layer/layouts.js'
export { type LayerWeights, randomWeights, type WeightName, weightShapes } from './layer/weights.js'

// workload: where tokens come from

export { type DomainOptions, domains, hiddenDomains } from './workload/domains.js'
export {
  type GaussianOptions,
  gaussian,
  type HiddenGaussianOptions,
  hiddenGaussian,
} from './workload/gaussian.js'
export { type LayerLoad, readLoadCsv } from './workload/load-csv.js'
export { type Mixture, nemotronMixture } from './workload/mixture.js'
export type { Workload } from './workload/protocol.js'
export { readTrace, type Trace, type TraceLayer, traceWorkload } from './workload/trace.js'
export { readTrainingLoad, type TrainingLoad } from './workload/training-load.js'

// placement: which device holds which expert

export { alignRanks } from './placement/align-ranks.js'
export { balancedPacking } from './placement/balanced-packing.js'
export { stragglerBound } from './placement/bound.js'
export { placeExactly } from './placement/exact.js'
export { linearPlacement, roundRobinPlacement } from './placement/layouts.js'
export { type Migration, migrationOf } from './placement/migration.js'
export { placeExperts } from './placement/place.js'
export { placementOf } from './placement/placement-of.js'
export { type Arrangement, preserveSlots } from './placement/preserve-slots.js'
export type { Cluster, Packing, Placement, PlacementPolicy } from './placement/protocol.js'
export { randomPlacement } from './placement/random-placement.js'
export { rankLoads, stragglerFactor } from './placement/rank-loads.js'
export { type RebalancedStep, type RebalanceOptions, rebalance } from './placement/rebalance.js'
export { replicaSlots } from './placement/replica-slots.js'
export { replicateExperts } from './placement/replicate.js'
export { placeBySearch } from './placement/search.js'

// cost: bytes, seconds and what imbalance makes of them

export * from './cost/all-to-all.js'
export * from './cost/decode.js'
export * from './cost/distinct-experts.js'
export * from './cost/expert-parallel.js'
export * from './cost/explore.js'
export * from './cost/groups-touched.js'
export { flopsPerSecondIn, type Hardware, hardware } from './cost/hardware.js'
export * from './cost/layer-time.js'
export * from './cost/loads-on-ranks.js'
export * from './cost/moe-layer.js'
export * from './cost/over-replicas.js'
export * from './cost/parallelism.js'
export * from './cost/roofline.js'
export * from './cost/straggler.js'
export * from './cost/traffic.js'

// simulate: time

export { type ReplayedLayer, replayTrace } from './simulate/replay-trace.js'
export { type ReplayedTraining, replayTraining } from './simulate/replay-training.js'
export { reportToJson, type StepReport } from './simulate/report.js'
export type { Setup } from './simulate/setup.js'
export { simulate } from './simulate/simulate.js'
export type { Json, Snapshot } from './simulate/snapshot.js'
