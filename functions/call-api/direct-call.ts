import { InvalidRequestError } from '../../lib/admission/invalid-request.ts'
import { isJsonObject } from '../../lib/base/decoding.ts'
import { connectionOf } from '../../lib/http-interface/entrance.ts'
import type { DirectEntry } from '../../lib/http-interface/entry.ts'

const members: readonly string[] = ['connection', 'method', 'path', 'query', 'headers', 'body', 'isBase64Encoded']

/**
 * A direct request `{ method, path, query, headers, body, isBase64Encoded }` in the form of an event of an HTTP API. Only `method`
 * and `path` are required. Nothing in the event names the caller.
 * @throws {InvalidRequestError}
 * @throws {AccessDeniedError} for the connection of another alias
 */
export function readDirectCall(request: unknown, entry: DirectEntry): object {
  if (!isJsonObject(request))
    throw new InvalidRequestError('The request', 'must be a JSON object that contains method and path.')
  const unknown = Object.keys(request).find((name) => !members.includes(name))
  if (unknown !== undefined)
    throw new InvalidRequestError('The request', `may contain only ${members.join(', ')}. Leave the others out.`)
  const { connection, method, path, query = '', headers = {}, body = '', isBase64Encoded = false } = request
  const served = connectionOf(entry, connection === undefined ? undefined : text('connection', connection))
  const pathBelow = text('path', path)
  if (!pathBelow.startsWith('/'))
    throw new InvalidRequestError('path', 'must begin with a slash. It is the path below the base path of the API.')
  return {
    version: '2.0',
    rawPath: `/connections/${served}/api${pathBelow}`,
    rawQueryString: text('query', query),
    headers: textsByName(headers),
    body: text('body', body),
    isBase64Encoded: flag('isBase64Encoded', isBase64Encoded),
    requestContext: { stage: '$default', http: { method: text('method', method), path: pathBelow } },
  }
}

function text(member: string, value: unknown): string {
  if (typeof value !== 'string') throw new InvalidRequestError(member, 'must be a string.')
  return value
}

function flag(member: string, value: unknown): boolean {
  if (typeof value !== 'boolean') throw new InvalidRequestError(member, 'must be true or false.')
  return value
}

function textsByName(headers: unknown): object {
  if (isJsonObject(headers) && Object.values(headers).every((value) => typeof value === 'string')) return headers
  throw new InvalidRequestError('headers', 'must be an object of strings by name.')
}
