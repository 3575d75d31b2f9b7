/** Every published model by a name of its own: a bundle holds only those that it names. */
export * from './coarse.js'
export * from './granular.js'
export * from './granular-attention.js'
export * from './latent.js'
export * from './linear.js'
export * from './mamba.js'
export * from './pioneers.js'
export type * from './published.js'
