import { atSlow, scratch } from './plan'

// The tokens of a block that go the whole way, in the scratch area.

/** How many there are. */
export let slow: i32 = 0

export function noneLater(): void {
  slow = 0
}

export function later(t: i32): void {
  store<i32>(scratch + ((<usize>slow) << 2), t, atSlow)
  slow++
}
