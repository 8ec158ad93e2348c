import { type ParseError, parse, printParseErrorCode } from 'jsonc-parser'
import { decodeUtf8, findDuplicateName, isDeeplyNested, maximumJsonDepth, parseJson } from '../../base/decoding.ts'

/** The value of a JSON text, or a phrase that says why it is not JSON. The phrase never quotes values of the text. */
export type ReadJson = { readonly value: unknown } | { readonly complaint: string }

/**
 * Reads the bytes of a file as UTF-8 JSON. A byte order mark at the start, which some editors write, is ignored.
 */
export function readStrictJsonFile(bytes: Uint8Array): ReadJson {
  const text = decodeUtf8(bytes)
  if (text !== undefined && !text.includes('\0')) return readStrictJson(text)
  const isUtf16 = bytes.includes(0)
  return {
    complaint: isUtf16
      ? 'it is UTF-16, as PowerShell writes it; save it as UTF-8'
      : 'it is not UTF-8; save it as UTF-8',
  }
}

/** Reads JSON as RFC 8259 defines it. A name that occurs twice in an object is an error, because one of its values would be lost. */
export function readStrictJson(text: string): ReadJson {
  if (isDeeplyNested(text)) return { complaint: `it is nested deeper than ${maximumJsonDepth} levels` }
  const value = parseJson(text)
  if (value === undefined) return { complaint: describeSyntaxError(text) }

  const twice = findDuplicateName(text)
  if (twice)
    return {
      complaint: `the name ${JSON.stringify(twice.name)} occurs twice, the second time ${position(text, twice.offset)}`,
    }
  return { value }
}

function describeSyntaxError(text: string): string {
  const errors: ParseError[] = []
  parse(text, errors, { disallowComments: true, allowTrailingComma: false, allowEmptyContent: false })
  const [error] = errors
  return error ? `${words(printParseErrorCode(error.error))} ${position(text, error.offset)}` : 'invalid symbol'
}

/** Turns `CloseBraceExpected` into words. */
function words(code: string): string {
  return code.replace(/(?!^)([A-Z])/g, (letter) => ` ${letter.toLowerCase()}`).toLowerCase()
}

function position(text: string, offset: number): string {
  const lines = text.slice(0, offset).split('\n')
  return `at line ${lines.length}, column ${(lines.at(-1)?.length ?? 0) + 1}`
}
