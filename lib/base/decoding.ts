const strictUtf8 = new TextDecoder('utf-8', { fatal: true })
const strictUtf8WithBom = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/**
 * The UTF-8 text in the bytes, or undefined if they are not UTF-8. A byte order mark at the start is dropped.
 * @param options.ignoreBOM keeps the byte order mark as a character of the text
 */
export function decodeUtf8(bytes: Uint8Array, { ignoreBOM = false } = {}): string | undefined {
  try {
    return (ignoreBOM ? strictUtf8WithBom : strictUtf8).decode(bytes)
  } catch {
    return undefined
  }
}

/** The value of a JSON text, or undefined if the text is not JSON. It never throws: the error of `JSON.parse` quotes the text. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch {
    return undefined
  }
}

export type JsonObject = Readonly<Record<string, unknown>>

/** Whether it is an object, not null and not a list. */
export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

export function isJsonArray(value: unknown): value is readonly unknown[] {
  return Array.isArray(value)
}

/** More than enough: elements and requests have five levels. */
export const maximumJsonDepth = 64

/**
 * Whether a text, JSON or not, has more than `maximumJsonDepth` levels. JSON parsers recurse, and a long text of brackets would
 * overflow their stack.
 */
export function isDeeplyNested(text: string): boolean {
  let depth = 0
  // A string without a closing quotation mark matches to the end. Otherwise each further mark would be tried again
  // (quadratic time).
  for (const [bracket] of text.matchAll(/"(?:[^"\\]|\\.)*(?:"|\\?$)|[[{]|[\]}]/gs)) {
    if (bracket === '[' || bracket === '{') depth++
    else if (bracket === ']' || bracket === '}') depth--
    if (depth > maximumJsonDepth) return true
  }
  return false
}

export interface DuplicateName {
  readonly name: string
  /** The position of the opening quotation mark of the second occurrence. */
  readonly offset: number
}

/**
 * The first name that one object of a JSON text has twice. `JSON.parse` would keep only the last value (RFC 8259 section 4).
 * @param text valid JSON
 */
export function findDuplicateName(text: string): DuplicateName | undefined {
  const namesOfOpen: Set<string>[] = []
  for (const { 0: token, index: offset } of text.matchAll(/"(?:[^"\\]|\\.)*"(?:\s*:)?|[[{]|[\]}]/gs)) {
    if (token === '[' || token === '{') namesOfOpen.push(new Set())
    else if (token === ']' || token === '}') namesOfOpen.pop()
    else if (token.endsWith(':')) {
      const name = JSON.parse(token.slice(0, -1)) as string
      const names = namesOfOpen.at(-1)
      if (names?.has(name)) return { name, offset }
      names?.add(name)
    }
  }
  return undefined
}
