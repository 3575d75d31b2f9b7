import type { ModelConfig } from './config.js'
import { fromHuggingFaceConfig } from './huggingface/read.js'
import { nemotron3Nano, tinyNemotronH } from './nemotron.js'
import { publishedModels } from './zoo/published-models.js'

/**
 * The models that come with the library, by name: the 44 published ones of `publishedModels`, where their sources and
 * figures stand, and the small trained one. Each is built when it is first asked for.
 */
export const presets: Readonly<Record<string, ModelConfig>> = /* @__PURE__ */ lazyPresets()

function lazyPresets(): Record<string, ModelConfig> {
  const presets: Record<string, ModelConfig> = {}
  const add = (key: string, make: () => ModelConfig): void => {
    let built: ModelConfig | undefined
    const get = (): ModelConfig => {
      built ??= make()
      return built
    }
    Object.defineProperty(presets, key, { enumerable: true, configurable: true, get })
  }
  for (const [key, { name, config }] of Object.entries(publishedModels)) {
    add(key, () => fromHuggingFaceConfig(config, { name }))
  }
  add('nemotron-3-nano-30b-a3b', () => nemotron3Nano)
  add('tiny', () => tinyNemotronH)
  return Object.freeze(presets)
}
