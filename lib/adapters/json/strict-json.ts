import { type Node, type ParseError, parseTree, printParseErrorCode } from 'jsonc-parser'

/** Elements and requests have five. */
const maximumDepth = 64

/** What a JSON text holds, or the one sentence on why it is none. Never quotes the text. */
export type ReadJson = { readonly value: unknown } | { readonly complaint: string }

export type JsonObject = Readonly<Record<string, unknown>>

/** Neither null nor a list. */
export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** JSON by RFC 8259, in which no name stands twice in an object: of two values one would be lost. */
export function readStrictJson(text: string): ReadJson {
  if (isDeeplyNested(text)) return { complaint: `it is nested deeper than ${maximumDepth} levels` }
  const errors: ParseError[] = []
  const root = parseTree(text, errors, { disallowComments: true, allowTrailingComma: false, allowEmptyContent: false })
  const [error] = errors
  if (error) return { complaint: `${words(printParseErrorCode(error.error))} ${position(text, error.offset)}` }

  const twice = root && findDuplicate(root)
  if (twice)
    return { complaint: `the name ${JSON.stringify(twice.value)} stands twice, again ${position(text, twice.offset)}` }
  return { value: JSON.parse(text) }
}

/**
 * Both parsers recurse, and end in an exception of their own on a text of brackets. A text without its closing quotation mark
 * goes to the end: were it passed over instead, each further mark would be tried all the way again.
 */
function isDeeplyNested(text: string): boolean {
  let depth = 0
  for (const [bracket] of text.matchAll(/"(?:[^"\\]|\\.)*(?:"|\\?$)|[[{]|[\]}]/gs)) {
    if (bracket === '[' || bracket === '{') depth++
    else if (bracket === ']' || bracket === '}') depth--
    if (depth > maximumDepth) return true
  }
  return false
}

function findDuplicate(node: Node): Node | undefined {
  const seen = new Set<string>()
  for (const child of node.children ?? []) {
    const name = child.type === 'property' ? child.children?.[0] : undefined
    if (name && seen.has(String(name.value))) return name
    if (name) seen.add(String(name.value))
    const deeper = findDuplicate(child)
    if (deeper) return deeper
  }
  return undefined
}

/** `CloseBraceExpected` in words. */
function words(code: string): string {
  return code.replace(/(?!^)([A-Z])/g, (letter) => ` ${letter.toLowerCase()}`).toLowerCase()
}

function position(text: string, offset: number): string {
  const lines = text.slice(0, offset).split('\n')
  return `at line ${lines.length}, column ${(lines.at(-1)?.length ?? 0) + 1}`
}
