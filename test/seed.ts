import fc from 'fast-check'

/** Laws are tried on the same inputs in every run, so that a run tells of the code alone; FC_SEED tries others. */
fc.configureGlobal({ seed: Number(process.env.FC_SEED ?? 1) })
