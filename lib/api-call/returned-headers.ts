import type { ApiAnswer } from './api-endpoint.ts'
import { allOf, endToEnd } from './forwarded-headers.ts'
import { type LinkParameter, type LinkValue, readLinks, writeLinks } from './link-header.ts'
import { returnedCookies } from './returned-cookie.ts'
import { type CallPlace, returnedReference } from './returned-reference.ts'

/** The headers of an answer as the caller gets them. */
export interface ReturnedHeaders {
  readonly headers: ApiAnswer['headers']
  /** Headers that the caller could have used, but that Tokenwell cannot return. */
  readonly leftOut: readonly LeftOut[]
}

interface LeftOut {
  readonly header: string
  /** Completes the sentence "is left out:". Repeats nothing of the header. */
  readonly reason: string
}

/**
 * Headers whose value is one URI reference that clients follow. The first two are from RFC 9110, the others from OData, Azure and
 * source maps.
 */
const ofOneReference: ReadonlySet<string> = new Set([
  'location',
  'content-location',
  'azure-asyncoperation',
  'content-base',
  'odata-entityid',
  'operation-location',
  'sourcemap',
  'x-sourcemap',
])

/**
 * Headers that a client applies to the whole origin, which is Tokenwell's with all its connections, and headers with references
 * that can't be mapped.
 */
const ofWholeOrigin: ReadonlySet<string> = new Set([
  'accept-ch',
  'accept-ch-lifetime',
  'activate-storage-access',
  'alt-svc',
  'alternates',
  'authentication-control',
  'clear-site-data',
  'critical-ch',
  'expect-ct',
  'link-template',
  'nel',
  'observe-browsing-topics',
  'origin-agent-cluster',
  'origin-trial',
  'public-key-pins',
  'public-key-pins-report-only',
  'report-to',
  'reporting-endpoints',
  'sec-session-registration',
  'secure-session-challenge',
  'secure-session-registration',
  'service-worker-allowed',
  'set-cookie2',
  'set-login',
  'speculation-rules',
  'strict-transport-security',
  'timing-allow-origin',
  'use-as-dictionary',
  'x-permitted-cross-domain-policies',
  'x-sendfile',
])
const prefixesOfWholeOrigin = ['access-control-', 'attribution-reporting-', 'x-accel-']

/**
 * Returns only headers that describe this answer. Hop-by-hop headers and headers for the whole origin are dropped. References and
 * cookies are mapped to the connection. Lambda sets `content-length`. A `proxy-status` of the API that names Tokenwell is dropped,
 * because it would make the API's error look like one of Tokenwell.
 */
export function returnedHeaders(given: ApiAnswer['headers'], place: CallPlace): ReturnedHeaders {
  const leftOut: LeftOut[] = []
  const headers = Object.entries(endToEnd(given, isNotReturned(given))).flatMap(([name, value]) => {
    const returned = returnedValues(name, [value].flat(), place)
    if (!returned) return [[name, value] as const]
    const { values, faults } = returned
    leftOut.push(...faults.map((reason) => ({ header: name, reason })))
    return values.length === 0 ? [] : [[name, values] as const]
  })
  return { headers: Object.fromEntries(headers), leftOut }
}

function isNotReturned(given: ApiAnswer['headers']): (name: string) => boolean {
  const isSpoofed = /\btokenwell\b/i.test(allOf(given, 'proxy-status'))
  return (name) =>
    name === 'content-length' ||
    (name === 'proxy-status' && isSpoofed) ||
    ofWholeOrigin.has(name) ||
    prefixesOfWholeOrigin.some((prefix) => name.startsWith(prefix))
}

interface ReturnedValues {
  readonly values: readonly string[]
  readonly faults: readonly string[]
}

const unfitReference = 'it is not a URL that a caller can follow'

/** Undefined if the header is returned unchanged. */
function returnedValues(name: string, values: readonly string[], place: CallPlace): ReturnedValues | undefined {
  if (name === 'set-cookie') return cookieValues(values, place)
  if (name === 'link') return linkValues(values, place)
  if (name !== 'refresh' && !ofOneReference.has(name)) return undefined
  const [value = '', ...others] = new Set(values)
  if (others.length > 0)
    return { values: [], faults: ['it has several values, and clients could follow different ones'] }
  const returned = name === 'refresh' ? returnedRefresh(value, place) : returnedReference(value, place)
  return returned === undefined ? { values: [], faults: [unfitReference] } : { values: [returned], faults: [] }
}

function cookieValues(given: readonly string[], place: CallPlace): ReturnedValues {
  const cookies = given.flatMap((each) => returnedCookies(each, place))
  return {
    values: cookies.flatMap((each) => (each.kind === 'returned' ? each.cookie : [])),
    faults: cookies.flatMap((each) => (each.kind === 'left_out' ? each.reason : [])),
  }
}

function linkValues(given: readonly string[], place: CallPlace): ReturnedValues {
  const { links, isWhole } = readLinks(given.join(', '))
  const returned = links.flatMap((link) => returnedLink(link, place) ?? [])
  const isComplete = isWhole && returned.length === links.length
  return {
    values: returned.length === 0 ? [] : [writeLinks(returned)],
    faults: isComplete ? [] : ['it contains a link that a caller cannot follow'],
  }
}

/** `imagesrcset` is dropped: it is a list of references, and only a hint. */
function returnedLink({ target, parameters }: LinkValue, place: CallPlace): LinkValue | undefined {
  const returned = returnedReference(target, place)
  const others = parameters.filter(({ name }) => name.toLowerCase() !== 'imagesrcset')
  const mapped = others.map((each) => (each.name.toLowerCase() === 'anchor' ? returnedAnchor(each, place) : each))
  if (returned === undefined || mapped.includes(undefined)) return undefined
  return { target: returned, parameters: mapped.filter((each) => each !== undefined) }
}

function returnedAnchor({ name, value = '' }: LinkParameter, place: CallPlace): LinkParameter | undefined {
  const returned = returnedReference(value, place)
  return returned === undefined ? undefined : { name, value: returned }
}

/** The "shared declarative refresh steps" of the HTML standard: `5`, `5; url=/next`, `5;URL='/next'` or `5, /next`. */
function returnedRefresh(value: string, place: CallPlace): string | undefined {
  const [, seconds, rest = ''] = /^\s*(\d*)(?:\.[\d.]*)?(?:(?:\s*[;,]|\s)\s*(.*))?$/s.exec(value) ?? []
  if (seconds === undefined) return undefined
  const [, quote, quoted, bare] = /^(?:url\s*=\s*)?(?:(['"])(.*)|(.*))$/is.exec(rest) ?? []
  const reference = quote === undefined ? bare : quoted?.split(quote, 1)[0]
  if (!reference) return seconds || '0'
  const returned = returnedReference(reference, place)
  return returned === undefined ? undefined : `${seconds || '0'}; url=${returned}`
}
