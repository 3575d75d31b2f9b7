/**
 * Bad input is refused at the edge, in one voice: which rule, which value, what to do.
 * Inside the library, code trusts its arguments.
 */
export class InputError extends Error {
  override readonly name: string = 'InputError'
  /** What must hold, starting with the function or option that asks for it. */
  readonly rule: string
  /** What was given instead. */
  readonly value: unknown
  /** What the caller can do about it. */
  readonly remedy: string

  constructor(rule: string, value: unknown, remedy: string) {
    super(`${rule}, got ${show(value)}. ${remedy}`)
    this.rule = rule
    this.value = value
    this.remedy = remedy
  }
}

/** Refuses unless `holds`. `rule` reads 'route: topK must be a whole number from 1 to 8'; `remedy` is a sentence. */
export function demand(holds: boolean, rule: string, value: unknown, remedy: string): asserts holds {
  if (!holds) throw new InputError(rule, value, remedy)
}

/** Refuses anything but a whole number in [least, most]. `name` reads 'simulate: tokensPerStep'. */
export function demandWhole(name: string, value: unknown, least: number, most: number, remedy: string): void {
  const range = most === Number.MAX_SAFE_INTEGER ? `of at least ${least}` : `from ${least} to ${most}`
  const holds = Number.isSafeInteger(value) && (value as number) >= least && (value as number) <= most
  demand(holds, `${name} must be a whole number ${range}`, value, remedy)
}

/** `rest` is what remains of an object once the fields that its kind has are taken out: an optional one misspelt. */
export function demandNothingElse(name: string, rest: object): void {
  const [stray] = Object.keys(rest)
  demand(stray === undefined, `${name} must have only the fields of its kind`, stray, 'Correct or remove it.')
}

/** Options, or none where plain JavaScript has forgotten them: so the first that is missing is told by its name. */
export const orNone = <Options extends object>(options: Options): Options => options ?? ({} as Options)

/** A value in a few words, however large or hostile it is. */
function show(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(clip(value))
  if (Array.isArray(value)) return `an array of ${value.length}`
  if (ArrayBuffer.isView(value)) return `a ${value.constructor.name} of ${(value as Uint8Array).length}`
  if (typeof value === 'function') return 'a function'
  if (typeof value === 'object' && value !== null) return 'an object'
  return clip(String(Object.is(value, -0) ? '-0' : value))
}

const clip = (text: string): string => (text.length > 80 ? `${text.slice(0, 77)}...` : text)
