/*
 * The syntax of texts in elements and requests, by the RFCs. This module uses no schema library, since an instance needs parts of
 * it before it reads any element.
 */

/** The characters of an id, and how many it may have. */
export const elementIdForm = /^[A-Za-z0-9_.-]{1,128}$/

/** Ids are case-sensitive. Dots alone are not allowed: as a path they would lead to another folder. */
export function isElementId(id: string): boolean {
  return elementIdForm.test(id) && !/^\.+$/.test(id)
}

/** RFC 6749 section 3.3: printable ASCII without quotation mark and backslash. */
export function isScopeToken(text: string): boolean {
  return /^[\x21\x23-\x5b\x5d-\x7e]+$/.test(text)
}

/**
 * Whether a text can be the name in a certificate as API Gateway writes it: `C=DE,O=Example,CN=orders`, and not in the form of a tool,
 * such as `subject=C = DE` or `/C=DE/CN=orders`. It is compared as a whole, so nothing in it is interpreted.
 */
export function isDistinguishedName(text: string): boolean {
  if (text.length > 1_024 || /[\p{Cc}\p{Zl}\p{Zp}]/u.test(text) || text !== text.trim()) return false
  return /^(?!subject=|issuer=)([A-Za-z][A-Za-z0-9-]*|\d+(\.\d+)+)=\S/i.test(text)
}

const boundTypes: readonly string[] = ['dpop', 'pop', 'mac', 'n_a']

/**
 * Whether a `token_type` may mean a bearer token. It may not if it means a key-bound token, or no access token (`N_A`, RFC
 * 8693).
 */
export function isTokenType(text: string): boolean {
  return /^[\x20-\x7e]{1,100}$/.test(text) && !boundTypes.includes(text.toLowerCase())
}

/** RFC 9110 section 5.1, with at most 128 characters. */
export function isHeaderName(text: string): boolean {
  return /^[\w!#$%&'*+.^`|~-]{1,128}$/.test(text)
}

/** Equal for names that some server reads as the same header: CGI knows no difference between `-` and `_` (RFC 3875 section 4.1.18). */
export function foldedHeaderName(name: string): string {
  return name.toLowerCase().replace(/[^a-z0-9]/g, '-')
}

/** RFC 5234 appendix B.1 (CTL), and those of Unicode. */
export function hasControlCharacter(text: string): boolean {
  return /\p{Cc}/u.test(text)
}

/** RFC 9110 section 5.5, without tabs and without characters beyond ASCII. */
export function isHeaderValue(text: string): boolean {
  return /^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$/.test(text) && text.length <= 4096
}

/** The name of a parameter (RFC 6749 appendix A and section 8.2), with at most 128 characters. */
export function isParameterName(text: string): boolean {
  return /^[\w.-]{1,128}$/.test(text)
}

/**
 * Equal for names that some server reads as the same name: PHP reads `.` as `_`, and others ignore case or separators. Two
 * different names with the same folded name are never sent together.
 */
export function foldedParameterName(name: string): string {
  return name.toLowerCase().replace(/[^a-z0-9]/g, '')
}

/** RFC 8707 section 2: an absolute URI without a fragment. */
export function isResourceIndicator(text: string): boolean {
  // The URL parser repairs its input, but the original text is sent. So the text itself is checked too.
  return URL.canParse(text) && /^[a-z][a-z0-9+.-]*:[\x21\x22\x24-\x7e]+$/i.test(text)
}

/** RFC 8693 section 3: the type of a token in an exchange is a URI. */
export function isExchangedTokenType(text: string): boolean {
  return text.length <= 256 && isResourceIndicator(text)
}

/** An http or https URL without fragment, user and password. */
export function isWebUrl(text: string): boolean {
  if (!URL.canParse(text) || !/^https?:\/\/[\x21\x22\x24-\x7e]+$/i.test(text)) return false
  const { username, password } = new URL(text)
  return username === '' && password === '' && !/^https?:\/\/[^/?]*@/i.test(text)
}

/** A path that begins with a slash and has no query, no fragment, no `%`, and no part that is empty, `.` or `..`. */
export function isBasePath(text: string): boolean {
  return /^(\/[\w~!$&'()*+,;=:@.-]*)+$/.test(text) && !/\/\.{0,2}(\/|;)|\/\.{1,2}$/.test(text)
}

/** Whether it is a host name, or an IP address without brackets and zone. */
export function isHostName(text: string): boolean {
  if (isIpv6(text)) return true
  const isPlain = text.length <= 253 && text.replace(/\.$/, '').split('.').every(isLabel)
  // The URL parser reads 127.1 and 0x7f.1 as IP addresses, so their canonical form differs.
  return isPlain && URL.canParse(`https://${text}`) && canonicalHost(text) === text.toLowerCase()
}

/** A label of RFC 1123 section 2.1. An underscore is allowed too, as names in private networks have it. */
function isLabel(text: string): boolean {
  return /^(?!-)[\w-]{1,63}(?<!-)$/.test(text)
}

/** An IPv6 address without brackets and zone. */
export function isIpv6(text: string): boolean {
  return /^[\da-f:.]+$/i.test(text) && URL.canParse(`https://[${text}]`)
}

/** A host in the form of a URL's `hostname`. */
export function canonicalHost(hostName: string): string {
  return new URL(`https://${isIpv6(hostName) ? `[${hostName}]` : hostName}`).hostname
}

const unitMilliseconds = { h: 3_600_000, m: 60_000, s: 1_000, ms: 1 } as const
const durationForm = /^(-)?(?=\d)(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?(?:(\d+)ms)?$/

/**
 * Reads a duration in the notation of z/OS Connect, such as `30s`, `1m30s`, `2h` or `500ms`, and returns milliseconds. A number
 * without a unit is in `bareUnit`. Undefined if the text is not a duration.
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
