import type { CallPlace } from './returned-reference.ts'

/** A `Set-Cookie` header as the caller gets it, or the reason why it is left out. */
export type ReturnedCookie =
  | { readonly kind: 'returned'; readonly cookie: string }
  | { readonly kind: 'left_out'; readonly reason: string }

/** RFC 6265 section 5.2, and attributes that browsers know beyond it. `Path` is set anew, and `Domain` is never returned. */
const attributes: ReadonlyMap<string, { readonly name: string; readonly values: RegExp }> = new Map([
  ['expires', { name: 'Expires', values: /^[\x20-\x7e]+$/ }],
  ['max-age', { name: 'Max-Age', values: /^-?\d+$/ }],
  ['secure', { name: 'Secure', values: /^/ }],
  ['httponly', { name: 'HttpOnly', values: /^/ }],
  ['samesite', { name: 'SameSite', values: /^(strict|lax|none)$/i }],
  ['partitioned', { name: 'Partitioned', values: /^/ }],
  ['priority', { name: 'Priority', values: /^(low|medium|high)$/i }],
])
const flags: ReadonlySet<string> = new Set(['secure', 'httponly', 'partitioned'])

/** Browsers reject a cookie with a control character (RFC 6265bis section 5.6). Other clients may read an attribute behind it. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these characters are searched for
const controlCharacters = /[\u0000-\u0008\u000a-\u001f\u007f-\u009f]/

/**
 * The cookies of one header. A client sends them only to calls of this connection: their path is below the connection's path, and
 * without a domain they belong to no other host.
 */
export function returnedCookies(header: string, place: CallPlace): readonly ReturnedCookie[] {
  return unfold(header).map((line) => returnedCookie(line, place))
}

function returnedCookie(line: string, place: CallPlace): ReturnedCookie {
  if (controlCharacters.test(line)) return { kind: 'left_out', reason: 'a cookie contains a control character' }
  const [pair = '', ...given] = line.split(';').map(trim)
  const [name, value] = splitPair(pair)
  if (name === '' || value === undefined) return { kind: 'left_out', reason: 'a cookie has no name' }
  if (/^__host-/i.test(name))
    return {
      kind: 'left_out',
      reason: 'a __Host- cookie applies to the whole origin, which all connections of Tokenwell share',
    }

  const pairs = given.map(splitPair).map(([key, text = '']) => [key.toLowerCase(), text] as const)
  // RFC 6265 section 5.3: the last attribute counts. The path is written once, so that all clients read the same one.
  const path = pairs.findLast(([key]) => key === 'path')?.[1] ?? ''
  const others = new Map(pairs.filter(([key, text]) => attributes.get(key)?.values.test(text)))
  const written = [...others].map(([key, text]) => (flags.has(key) ? nameOf(key) : `${nameOf(key)}=${text}`))
  return { kind: 'returned', cookie: [`${name}=${value}`, `Path=${cookiePath(path, place)}`, ...written].join('; ') }
}

function nameOf(attribute: string): string {
  return attributes.get(attribute)?.name ?? attribute
}

/**
 * Splits a header into its cookies. Some servers fold several cookies into one header, against RFC 6265 section 3. A comma begins
 * another cookie only after an attribute, because a value may contain a comma, and the date of `Expires` does.
 */
function unfold(header: string): string[] {
  const [pair = '', ...rest] = header.split(';')
  const cookies = [pair]
  for (const part of rest) {
    const [attribute = '', ...further] = part.split(/,(?=[ \t]*[\w!#$%&'*+.^`|~-]+=)/)
    cookies.push(`${cookies.pop()};${attribute}`, ...further)
  }
  return cookies
}

/** A path below the connection's path. If the given path is outside the API's base path, the connection's whole path. */
function cookiePath(given: string, { api: { basePath }, target, callerPath }: CallPlace): string {
  const path = given.startsWith('/') ? given : defaultPath(target)
  const below = path.startsWith(`${basePath}/`) ? path.slice(basePath.length) : '/'
  return `${callerPath}${isPlainPath(below) ? below : '/'}`
}

/** RFC 6265 section 5.1.4. */
function defaultPath(target: string): string {
  const [path = ''] = target.split('?', 1)
  return path.slice(0, path.lastIndexOf('/')) || '/'
}

/** Whether no client can read the path as one that leaves the connection's path, or that ends the attribute. */
function isPlainPath(path: string): boolean {
  return /^[\x21\x23-\x3a\x3c-\x5b\x5d-\x7e]*$/.test(path) && !/(^|\/)(\.|%2e){1,2}(\/|%2f|%5c|$)/i.test(path)
}

function splitPair(pair: string): readonly [string, string | undefined] {
  const at = pair.indexOf('=')
  return at < 0 ? [trim(pair), undefined] : [trim(pair.slice(0, at)), trim(pair.slice(at + 1))]
}

/** Trims only the whitespace of RFC 6265. Latin-1 has more, which some clients trim and some don't. */
function trim(text: string): string {
  return text.replace(/^[ \t]+|[ \t]+$/g, '')
}
