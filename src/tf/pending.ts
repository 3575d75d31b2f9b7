import { joinRoutings, type Routing, type Seen } from '../index.js'

/** The load, and what it was routed by, since the last bias update. */
export class Pending {
  #load: Int32Array
  #routings: Routing[] = []
  readonly #keeps: boolean

  /** `keeps`: the rule looks at routings too, so they are kept. */
  constructor(numExperts: number, keeps: boolean) {
    this.#load = new Int32Array(numExperts)
    this.#keeps = keeps
  }

  add(routing: Routing, load: Int32Array): void {
    for (let e = 0; e < load.length; e++) this.#load[e] += load[e]
    if (this.#keeps) this.#routings.push(routing)
  }

  /** All of it, and begins anew. */
  take(): { load: Int32Array; seen: Seen | undefined } {
    const load = this.#load
    const parts = this.#routings
    this.#load = new Int32Array(load.length)
    this.#routings = []
    if (parts.length === 0) return { load, seen: undefined }
    const routing = joinRoutings(parts)
    const { scores } = routing
    return { load, seen: scores && { routing, scores, microBatches: parts.map(({ tokens }) => tokens) } }
  }
}
