import type { Answer, Kind } from './kinds.js'

/**
 * Does this thread's own share, then hands over what each of the others has made, in the order in which they were asked. False
 * if any share, this thread's among them, was refused or lost: then all of it is to be done again, by this thread alone, which
 * says what is at fault, and where in the whole batch.
 */
export async function allDone<K extends Kind>(
  own: () => void,
  answers: readonly Promise<Answer<K>>[],
  take: (made: NonNullable<Answer<K>['made']>, helper: number) => void,
): Promise<boolean> {
  let done = true
  try {
    own()
  } catch {
    done = false // others may find the same, or something earlier in the batch
  }
  for (const [helper, { made }] of (await Promise.all(answers)).entries()) {
    done &&= made !== undefined
    if (done) take(made!, helper)
  }
  return done
}
