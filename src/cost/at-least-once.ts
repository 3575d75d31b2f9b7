/**
 * 1 − (1 − p)^n by squaring, of the complement: what two batches touch is a + b − a b. Nothing is subtracted from 1, so
 * that it is p itself for n = 1, and right for the smallest p.
 */
export function atLeastOnce(p: number, n: number): number {
  let all = 0
  for (let power = p, left = n; left > 0; left = Math.floor(left / 2)) {
    if (left % 2 === 1) all += power * (1 - all)
    power += power * (1 - power)
  }
  return all
}
