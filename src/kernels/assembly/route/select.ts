/** The places of the `wanted` largest of `n` keys above −∞ to best + 4096, the keys to best, in order; −1 and −∞ at the end. */
export function select(keys: usize, n: i32, wanted: i32, best: usize): void {
  const last = best + ((<usize>(wanted - 1)) << 2)
  for (let at = best; at <= last; at += 4) {
    store<f32>(at, -Infinity)
    store<i32>(at, -1, 4096)
  }
  let least: f32 = -Infinity
  for (let i = 0; i < n; i++) {
    const key = load<f32>(keys + ((<usize>i) << 2))
    if (!(key > least)) continue
    let at = last
    for (; at > best && key > load<f32>(at - 4); at -= 4) {
      store<f32>(at, load<f32>(at - 4))
      store<i32>(at, load<i32>(at - 4, 4096), 4096)
    }
    store<f32>(at, key)
    store<i32>(at, i, 4096)
    least = load<f32>(last)
  }
}
