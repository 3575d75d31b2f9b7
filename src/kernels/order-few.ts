/**
 * The indices of the first n keys to `order`, largest key first; no two may be equal. Every key is compared with every other,
 * four with one at a time, and no branch depends on them, which is faster than sorting where they are some dozens. Both
 * arrays have three places more.
 */
export function orderFew(keys: number[], n: number, order: Int32Array): void {
  for (let i = n; i < n + 3; i++) keys[i] = Number.NEGATIVE_INFINITY
  for (let i = 0; i < n; i += 4) {
    const a = keys[i]
    const b = keys[i + 1]
    const c = keys[i + 2]
    const d = keys[i + 3]
    // How many stand in front of each.
    let p = 0
    let q = 0
    let r = 0
    let s = 0
    for (let j = 0; j < n; j++) {
      const key = keys[j]
      p += Number(key > a)
      q += Number(key > b)
      r += Number(key > c)
      s += Number(key > d)
    }
    order[p] = i
    order[q] = i + 1
    order[r] = i + 2
    order[s] = i + 3
  }
}
