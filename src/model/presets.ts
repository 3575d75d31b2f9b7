import type { ModelConfig } from './config.js'
import { nemotron3Nano, tinyNemotronH } from './nemotron.js'

/** The models that come with the library, by name. */
export const presets: Readonly<Record<string, ModelConfig>> = /* @__PURE__ */ Object.freeze({
  'nemotron-3-nano-30b-a3b': nemotron3Nano,
  tiny: tinyNemotronH,
})
