import { type Routing, type Seen, seenOf, sumLoads } from '../index.js'

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
    this.#load = sumLoads([this.#load, load])
    if (this.#keeps) this.#routings.push(routing)
  }

  /** All of it, and begins anew. */
  take(): { load: Int32Array; seen: Seen | undefined } {
    const load = this.#load
    const parts = this.#routings
    this.#load = new Int32Array(load.length)
    this.#routings = []
    return { load, seen: seenOf(parts) }
  }
}
