import { sum } from '../stats.js'

/** Vectors a token of each rank: of the link to ranks of the node, and of the network to others. */
export interface Ports {
  readonly near: number
  readonly far: number
}

/**
 * What the busiest ports carry of a dispatch, out or in, where each rank's tokens need rank d with the chance of `chances`
 * [R]; so do those of the combine, in against out. The ports of `allToAllSeconds` for the matrix with these columns and no
 * diagonal, in the time of R. The last node may be smaller, and then has more beyond it.
 */
export function busiestPorts(chances: Float64Array, ranksPerNode: number): Ports {
  const ranks = chances.length
  const all = sum(chances)
  let near = 0
  let far = 0
  for (let first = 0; first < ranks; first += ranksPerNode) {
    const node = chances.subarray(first, first + ranksPerNode)
    const inside = sum(node)
    far = Math.max(far, all - inside)
    for (const chance of node) {
      // What a rank gets of its n − 1 neighbours. None sends more to them: n − 1 times the largest is no less than their sum.
      near = Math.max(near, (node.length - 1) * chance)
      far = Math.max(far, (ranks - node.length) * chance)
    }
  }
  return { near, far }
}
