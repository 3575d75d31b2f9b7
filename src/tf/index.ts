// moesim/tf: the layer that learns, on tfjs.
export { type AdamWOptions, adamW } from './adamw.js'
export { MoELayer } from './layer.js'
export { type MoETfLayer, moeLayer } from './layers.js'
export { tensorLoss } from './losses.js'
export type { ApplyOptions, MoELayerOptions, MoEResult } from './options.js'
export type { Tf } from './tfjs.js'
