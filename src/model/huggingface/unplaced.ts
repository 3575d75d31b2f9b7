import { aliases } from './aliases.js'

/** Names of what changes no shape: positions, training, generation, bookkeeping of the library that wrote the file. */
const shapeless =
  /^_|rope|rotary|position|_theta|eps|epsilon|dropout|token|_id$|_ids$|id2label|label2id|init|loss|coef|cache|dtype|version|auto_map|architectures|model_type|quantization|pretraining_tp|ep_size|chunk|time_step|generat|beam|penalty|length|temperature|return_|output_|is_|torchscript|use_bfloat16|prefix|finetuning|task_specific|problem_type|pruned|tie_encoder|router_logits|clip|limit|residual_in_fp32|rescale|_mamba_kernels|index_topk/

const most = 12

/** A sentence on the fields that no model type reads and that may hold parameters; empty if there are none. */
export function unplaced(config: object): string {
  const placed = new Set(Object.values(aliases).flatMap((names) => names.map((name) => name.split('.')[0])))
  const names = Object.keys(config).filter((name) => !placed.has(name) && !shapeless.test(name))
  if (names.length === 0) return ''
  const shown = names.slice(0, most).map((name) => name.slice(0, 40))
  const more = names.length > most ? ` and ${names.length - most} more` : ''
  return `Fields that have no place in any of them: ${shown.join(', ')}${more}.`
}
