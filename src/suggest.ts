/** Up to three of `known` that someone who typed `word` may have meant, as the end of a message; empty if none is near. */
export function didYouMean(word: string, known: readonly string[]): string {
  const asked = word.toLowerCase()
  const near = known
    .map((name) => ({ name, distance: name.includes(asked) ? 0 : edits(asked, name) }))
    .filter(({ name, distance }) => distance <= 0.4 * Math.max(asked.length, name.length))
    .sort((a, b) => a.distance - b.distance)
    .slice(0, 3)
    .map(({ name }) => `'${name}'`)
  return near.length === 0 ? '' : `Did you mean ${near.join(' or ')}? `
}

/** Letters to insert, delete or replace to make `b` from `a` (Levenshtein). */
function edits(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      next.push(Math.min(row[j] + 1, next[j - 1] + 1, row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1)))
    }
    row = next
  }
  return row[b.length]
}
