import { InvalidRequestError } from '../admission/invalid-request.ts'
import type { ProtectedApi } from '../configuration/api.ts'
import { targetWithin } from './target-within.ts'

/** Where a call went, and the caller's path for the same API. */
export interface CallPlace {
  readonly api: Pick<ProtectedApi, 'origin' | 'basePath'>
  /** Path and query of the call, as sent to the API. */
  readonly target: string
  /** Tokenwell's path for the API's base path, such as `/prod/connections/orders/api`. */
  readonly callerPath: string
}

/** Schemes that are safe to follow. Schemes that run a script, read a file or take over a page's origin are not among them. */
const schemes: ReadonlySet<string> = new Set(['http:', 'https:', 'mailto:', 'tag:', 'tel:', 'urn:', 'ws:', 'wss:'])

/**
 * A URI reference of an API's answer, as the caller gets it. A reference below the API's base path becomes the path at Tokenwell
 * for the same URL. Any other becomes absolute, because a relative reference would lead the caller to another connection
 * (RFC 9110 section 10.2.2, RFC 3986 section 5).
 * @returns undefined if it is not a URL, or its scheme is not safe to follow
 */
export function returnedReference(reference: string, place: CallPlace): string | undefined {
  const { api, target, callerPath } = place
  const url = URL.parse(encodeBytes(reference), `${api.origin}${target}`)
  if (!url || !schemes.has(url.protocol)) return undefined
  return isCallable(url, api) ? `${callerPath}${url.href.slice(`${api.origin}${api.basePath}`.length)}` : url.href
}

/** Encodes bytes outside ASCII. undici returns them as Latin-1, and URL would encode the Latin-1 characters instead. */
function encodeBytes(reference: string): string {
  return reference.replace(/[\x80-\xff]/g, (byte) => `%${byte.charCodeAt(0).toString(16).toUpperCase()}`)
}

/** Whether a caller can reach the URL through the connection: API Gateway decodes the path, and a call encodes it again. */
function isCallable(url: URL, { origin, basePath }: CallPlace['api']): boolean {
  if (!url.href.startsWith(`${origin}${basePath}/`)) return false
  const [asked = ''] = url.href.slice(origin.length).split('#', 1)
  try {
    const path = decodeURIComponent(url.pathname.slice(basePath.length))
    return normalize(targetWithin(basePath, path, url.search.slice(1))) === normalize(asked)
  } catch (error) {
    if (error instanceof URIError || error instanceof InvalidRequestError) return false
    throw error
  }
}

/** RFC 3986 section 6.2.2: equivalent spellings of a URL become the same. URL leaves some characters that a URL can't contain. */
function normalize(target: string): string {
  return target
    .replace(/%[0-9a-f]{2}/gi, (triplet) => {
      const character = String.fromCharCode(Number.parseInt(triplet.slice(1), 16))
      return /[\w.~-]/.test(character) ? character : triplet.toUpperCase()
    })
    .replace(/["<>[\\\]^`{|}]/g, encodeURIComponent)
}
