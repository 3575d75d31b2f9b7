/** All parameters of every preset, total and active, part by part: what a table of all models costs. */
import { countParameters, presets } from 'moesim'
import { inRounds, type Table } from './rounds.js'

export async function countTables(): Promise<Table[]> {
  const models = Object.values(presets)
  const run = () => models.reduce((sum, model) => sum + countParameters(model).active.backbone, 0)
  return [await inRounds(`count, ${models.length} presets`, [{ name: 'countParameters', run }])]
}
