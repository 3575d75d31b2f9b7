import { demand, demandWhole } from '../errors.js'
import { refuseUnordered } from './score.js'
import { startingPrices } from './starting-prices.js'

/** Who gets which expert, and at what prices no token would rather have another. */
export interface Assignment {
  /** [T]; −1 for a token whose scores are all −∞. */
  readonly experts: Int32Array
  /** [E], the least of them 0: each token's expert is the one of its largest score − price, which proves the optimum. */
  readonly prices: Float64Array
}

/**
 * The balanced assignment of T tokens to E experts with the largest sum of scores [T, E]: every expert gets T / E
 * tokens; where E does not divide T, ⌊T / E⌋ or ⌈T / E⌉, whichever is best for the sum. A score of −∞ keeps an expert
 * from a token, and a row of −∞ is padding, which counts for nothing.
 *
 * Exact, unlike an auction with one fixed ε (fairseq), by successive shortest paths: tokens start at the expert of their
 * largest score − price, for prices near the right ones; then, one at a time, the cheapest chain of moves leads from an
 * overfull expert to one with room. Sums run in float64, far finer than the spacing of float32 scores. At most T
 * searches of O(E²) each; some 0.2 s for 4096 tokens and 128 experts, up to 1 s where tokens are equal.
 * Source: Ahuja, Magnanti and Orlin, Network Flows (1993), section 9.7; the problem is that of Lewis et al., arXiv
 * 2103.16716. Throws an InputError on scores that do not fit, are NaN or +∞, or whose masks leave no balanced assignment.
 */
export function balancedAssignment(scores: Float32Array, numExperts: number): Assignment {
  demandWhole('balancedAssignment: numExperts', numExperts, 1, 1 << 12, 'It is the width of a row of scores.')
  demand(
    scores.length % numExperts === 0,
    `balancedAssignment: scores must hold rows of numExperts = ${numExperts} values`,
    scores,
    'Lay them out as [T, E], one row a token.',
  )
  refuseUnordered(scores, numExperts, 'balancedAssignment')
  const network = startNetwork(scores, numExperts)
  while (network.imbalance.some((surplus) => surplus > 0)) {
    const { parents, sink } = cheapestPath(network)
    demand(
      sink >= 0,
      'balancedAssignment: the scores must leave every expert enough tokens',
      'too many of −∞',
      'Open more experts to the tokens that compete for a few.',
    )
    follow(network, parents, sink)
  }
  const potentials = network.potentials.subarray(0, numExperts)
  const highest = Math.max(...potentials)
  return { experts: network.experts, prices: potentials.map((potential) => highest - potential) }
}

/**
 * A flow of tokens: from its expert each goes on to a hub, which must get ⌊T/E⌋ to ⌈T/E⌉ from every expert and T in all.
 * Nodes are the experts and, last, the hub.
 */
interface Network {
  readonly scores: Float32Array
  readonly numExperts: number
  readonly experts: Int32Array
  /** [E] the tokens at each expert, and how many of them go on to the hub: from ⌊T/E⌋ to ⌈T/E⌉. */
  readonly tokensAt: readonly number[][]
  readonly passing: Int32Array
  readonly least: number
  readonly most: number
  /** [nodes] how many more arrive than leave. */
  readonly imbalance: Int32Array
  /** [nodes, nodes] the least loss of score by moving a token from one expert to another, and which; 0 or ∞ at the hub. */
  readonly costs: Float64Array
  readonly movers: Int32Array
  /** [nodes] such that cost + potential of the start − potential of the end is at least 0 for every move. */
  readonly potentials: Float64Array
}

function startNetwork(scores: Float32Array, numExperts: number): Network {
  const tokens = countOpen(scores, numExperts)
  const least = Math.floor(tokens / numExperts)
  const prices = startingPrices(scores, numExperts, Math.ceil(tokens / numExperts))
  // What is over goes to the experts of the highest prices; the hub's own price lies at the border.
  const dearest = Array.from(prices.keys()).sort((a, b) => prices[b] - prices[a])
  const over = tokens - least * numExperts
  const passing = new Int32Array(numExperts).fill(least)
  const numNodes = numExperts + 1
  for (const expert of dearest.slice(0, over)) passing[expert]++
  const network: Network = {
    scores,
    numExperts,
    experts: new Int32Array(scores.length / numExperts).fill(-1),
    tokensAt: Array.from(prices, () => []),
    least,
    most: Math.ceil(tokens / numExperts),
    passing,
    imbalance: new Int32Array(numNodes),
    costs: new Float64Array(numNodes * numNodes).fill(Number.POSITIVE_INFINITY),
    movers: new Int32Array(numNodes * numNodes).fill(-1),
    potentials: Float64Array.of(...prices, prices[dearest[over]]).map((price) => -price),
  }
  bestExperts(scores, prices).forEach((expert, token) => {
    if (expert >= 0) join(network, token, expert)
  })
  for (let e = 0; e < numExperts; e++) {
    network.imbalance[e] = network.tokensAt[e].length - passing[e]
    updateHub(network, e)
  }
  return network
}

/** How many tokens have an expert open to them. */
function countOpen(scores: Float32Array, numExperts: number): number {
  let open = 0
  for (let row = 0; row < scores.length; row += numExperts) {
    if (scores.subarray(row, row + numExperts).some((score) => score !== Number.NEGATIVE_INFINITY)) open++
  }
  return open
}

/** [T] the expert of the largest score − price, the lower one of equals; −1 where all scores are −∞. */
function bestExperts(scores: Float32Array, prices: Float64Array): Int32Array {
  const experts = new Int32Array(scores.length / prices.length).fill(-1)
  for (let token = 0; token < experts.length; token++) {
    let best = Number.NEGATIVE_INFINITY
    for (let e = 0; e < prices.length; e++) {
      const gain = scores[token * prices.length + e] - prices[e]
      if (!(gain > best)) continue
      best = gain
      experts[token] = e
    }
  }
  return experts
}

/** Puts a token at an expert, where it may be the cheapest to move on. */
function join(
  { scores, numExperts, experts, tokensAt, costs, movers }: Network,
  token: number,
  expert: number,
): void {
  experts[token] = expert
  tokensAt[expert].push(token)
  const row = token * numExperts
  for (let other = 0; other < numExperts; other++) {
    const cost = scores[row + expert] - scores[row + other]
    const move = expert * (numExperts + 1) + other
    if (cost >= costs[move]) continue
    costs[move] = cost
    movers[move] = token
  }
}

/** Takes a token from an expert. A token as cheap as the one that left ends the search for the next: equal tokens are common. */
function leave(
  { scores, numExperts, tokensAt, costs, movers }: Network,
  token: number,
  expert: number,
): void {
  const tokens = tokensAt[expert]
  tokens.splice(tokens.indexOf(token), 1)
  for (let other = 0; other < numExperts; other++) {
    const move = expert * (numExperts + 1) + other
    if (movers[move] !== token) continue
    let cheapest = Number.POSITIVE_INFINITY
    for (let i = 0; i < tokens.length && cheapest > costs[move]; i++) {
      const row = tokens[i] * numExperts
      const cost = scores[row + expert] - scores[row + other]
      if (cost >= cheapest) continue
      cheapest = cost
      movers[move] = tokens[i]
    }
    costs[move] = cheapest
  }
}

/** Opens and closes an expert's ways to and from the hub. */
function updateHub({ numExperts: hub, passing, least, most, costs }: Network, expert: number): void {
  costs[expert * (hub + 1) + hub] = passing[expert] < most ? 0 : Number.POSITIVE_INFINITY
  costs[hub * (hub + 1) + expert] = passing[expert] > least ? 0 : Number.POSITIVE_INFINITY
}

/**
 * Dijkstra's search from all nodes with too much to the nearest with too little, by costs reduced by the potentials,
 * which it moves on so that they stay what they must be. `sink` is −1 if none can be reached.
 */
function cheapestPath({ imbalance, costs, potentials }: Network): { parents: Int32Array; sink: number } {
  const numNodes = imbalance.length
  const distances = Float64Array.from(imbalance, (surplus) => (surplus > 0 ? 0 : Number.POSITIVE_INFINITY))
  const parents = new Int32Array(numNodes).fill(-1)
  const done = new Uint8Array(numNodes)
  for (;;) {
    let nearest = -1
    let distance = Number.POSITIVE_INFINITY
    for (let node = 0; node < numNodes; node++) {
      if (done[node] || distances[node] >= distance) continue
      nearest = node
      distance = distances[node]
    }
    if (nearest < 0) return { parents, sink: -1 }
    if (imbalance[nearest] < 0) {
      for (let node = 0; node < numNodes; node++) potentials[node] += Math.min(distances[node], distance)
      return { parents, sink: nearest }
    }
    done[nearest] = 1
    const start = distance + potentials[nearest]
    for (let node = 0; node < numNodes; node++) {
      const reached = start + costs[nearest * numNodes + node] - potentials[node]
      if (done[node] || reached >= distances[node]) continue
      distances[node] = reached
      parents[node] = nearest
    }
  }
}

/** Moves one token along every edge of a path, from its end back to its start. */
function follow(network: Network, parents: Int32Array, sink: number): void {
  const { numExperts: hub, passing, imbalance, movers } = network
  const path = [sink]
  for (let node = sink; parents[node] >= 0; node = parents[node]) {
    const from = parents[node]
    path.push(from)
    if (node === hub) passing[from]++
    else if (from === hub) passing[node]--
    else {
      const token = movers[from * (hub + 1) + node]
      leave(network, token, from)
      join(network, token, node)
    }
  }
  imbalance[sink]++
  imbalance[path[path.length - 1]]--
  for (const node of path) if (node !== hub) updateHub(network, node)
}
