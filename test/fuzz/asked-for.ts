import { readWanted, type Wanted } from '../support/functions/access-matrix.ts'

/* Reads what an event asks for, with other code than the function's. It says which token is right if there is one. */

export type Members = Readonly<Record<string, unknown>>

export function membersOf(value: unknown): Members {
  return typeof value === 'object' && value !== null ? (value as Members) : {}
}

export function textOf(value: unknown): string {
  return typeof value === 'string' ? value : ''
}

/** Empty if the event names no connection. */
export function namedConnection(event: unknown): string {
  const { requestContext, version, rawPath, connection } = membersOf(event)
  if (requestContext === undefined || version === undefined) return textOf(connection)
  const [, named = ''] = /\/connections\/([^/]+)\/token/.exec(textOf(rawPath)) ?? []
  return named
}

export function wantedOf(event: unknown): Wanted {
  const { requestContext, version, headers, body, isBase64Encoded, ...members } = membersOf(event)
  if (requestContext === undefined || version === undefined) {
    const { connection: _connection, minimum_seconds: _seconds, rejected_token_id: _id, ...asked } = membersOf(event)
    return readWanted(namedConnection(event), pairsOf(asked))
  }
  const text = Buffer.from(textOf(body), isBase64Encoded === true ? 'base64' : 'utf8')
    .toString()
    .replace(/^\ufeff/, '')
  const types = Object.entries(membersOf(headers)).flatMap(([name, value]) =>
    name.toLowerCase() === 'content-type' && typeof value === 'string' ? [value] : [],
  )
  const isJson = types.at(-1)?.includes('json')
  if (text === '') return readWanted(namedConnection({ requestContext, version, ...members }), [])
  const parsed: unknown = isJson ? JSON.parse(text) : undefined
  const pairs = isJson ? pairsOf(membersOf(parsed)) : [...new URLSearchParams(text)]
  return readWanted(namedConnection({ requestContext, version, ...members }), pairs)
}

function pairsOf(members: Members): [string, string][] {
  return Object.entries(members).flatMap(([name, value]) =>
    [value].flat().map((each): [string, string] => [name, String(each)]),
  )
}
