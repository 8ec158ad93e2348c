/*
 * What the texts of elements and requests may look like, by the RFCs; without a schema library, since an instance needs some
 * of it before it reads any element.
 */

/** The characters of an id, and how many it may have. */
export const elementIdForm = /^[A-Za-z0-9_.-]{1,128}$/

/** Ids are case-sensitive. An id of dots alone is invalid: it would step out of a path. */
export function isElementId(id: string): boolean {
  return elementIdForm.test(id) && !/^\.+$/.test(id)
}

/** RFC 6749 section 3.3: printable ASCII without quotation mark and backslash. */
export function isScopeToken(text: string): boolean {
  return /^[\x21\x23-\x5b\x5d-\x7e]+$/.test(text)
}

const boundTypes: readonly string[] = ['dpop', 'pop', 'mac', 'n_a']

/** What a `token_type` may be taken for a bearer token's: not one that is bound to a key, nor that of no access token (RFC 8693). */
export function isTokenType(text: string): boolean {
  return /^[\x20-\x7e]{1,100}$/.test(text) && !boundTypes.includes(text.toLowerCase())
}

/** RFC 6749 appendix A.9, 8.2: the name of a parameter, not unreasonably long. */
export function isParameterName(text: string): boolean {
  return /^[\w.-]{1,128}$/.test(text)
}

/**
 * The same for names that some server takes for one: PHP reads `.` as `_`, others ignore case or separators. Names that are
 * the same when folded, and not the same, never stand side by side.
 */
export function foldedParameterName(name: string): string {
  return name.toLowerCase().replace(/[^a-z0-9]/g, '')
}

/** RFC 8707 section 2: an absolute URI without a fragment. */
export function isResourceIndicator(text: string): boolean {
  // A parser of URLs repairs what it is given; what is sent stays as it was.
  return URL.canParse(text) && /^[a-z][a-z0-9+.-]*:[\x21\x22\x24-\x7e]+$/i.test(text)
}

/** An http or https URL without fragment, user and password. */
export function isWebUrl(text: string): boolean {
  if (!URL.canParse(text) || !/^https?:\/\/[\x21\x22\x24-\x7e]+$/i.test(text)) return false
  const { username, password } = new URL(text)
  return username === '' && password === '' && !/^https?:\/\/[^/?]*@/i.test(text)
}

/** A path that begins with a slash, without query, fragment, `%` and parts that are empty, `.` or `..`. */
export function isBasePath(text: string): boolean {
  return /^(\/[\w~!$&'()*+,;=:@.-]*)+$/.test(text) && !/\/\.{0,2}(\/|;)|\/\.{1,2}$/.test(text)
}

/** Whether it is a host's name, or its address without brackets and zone. */
export function isHostName(text: string): boolean {
  if (isIpv6(text)) return true
  const isPlain = text.length <= 253 && text.replace(/\.$/, '').split('.').every(isLabel)
  // 127.1 and 0x7f.1 are addresses that don't look it.
  return isPlain && URL.canParse(`https://${text}`) && canonicalHost(text) === text.toLowerCase()
}

/** RFC 1123 section 2.1; and an underscore, which names inside a network do have. */
function isLabel(text: string): boolean {
  return /^(?!-)[\w-]{1,63}(?<!-)$/.test(text)
}

/** An IPv6 address without brackets and zone. */
export function isIpv6(text: string): boolean {
  return /^[\da-f:.]+$/i.test(text) && URL.canParse(`https://[${text}]`)
}

/** A host as `hostname` of a URL has it. */
export function canonicalHost(hostName: string): string {
  return new URL(`https://${isIpv6(hostName) ? `[${hostName}]` : hostName}`).hostname
}

const unitMilliseconds = { h: 3_600_000, m: 60_000, s: 1_000, ms: 1 } as const
const durationForm = /^(-)?(?=\d)(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?(?:(\d+)ms)?$/

/**
 * Milliseconds of a duration in the original's notation: `30s`, `1m30s`, `2h`, `500ms`; a bare number counts in `bareUnit`.
 * Undefined for a text that is no duration.
 */
export function readDuration(text: string, bareUnit: keyof typeof unitMilliseconds = 's'): number | undefined {
  if (/^-?\d{1,9}$/.test(text)) return Number(text) * unitMilliseconds[bareUnit]

  const parts = durationForm.exec(text)
  if (!parts) return undefined
  const [, sign, hours = 0, minutes = 0, seconds = 0, milliseconds = 0] = parts
  const total =
    Number(hours) * unitMilliseconds.h +
    Number(minutes) * unitMilliseconds.m +
    Number(seconds) * unitMilliseconds.s +
    Number(milliseconds)
  if (!Number.isSafeInteger(total)) return undefined
  return sign ? -total : total
}
