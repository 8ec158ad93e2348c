import { InvalidRequestError } from '../admission/invalid-request.ts'

/** Characters that show a broken or double encoding, or that would have another meaning in a path. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these characters are searched for
const unfit = /[%?#\\\u0000-\u001f\u007f-\u009f\ufffd]/
/** All except the characters that a path may contain unencoded (RFC 3986 section 3.3). */
const toEncode = /[^\w.~!$&'()*+,;=:@/-]+/g

/**
 * Path and query of a call, always below the API's base path.
 * @param path decoded, as an HTTP API passes it on; begins with a slash. Characters that a path can't contain are encoded again
 * @param query is forwarded unchanged
 * @throws {InvalidRequestError} with the part that can't be forwarded
 */
export function targetWithin(basePath: string, path: string, query: string): string {
  // An HTTP API passes on only the decoded path. %25, %3F and %23 can't be told from what they encode, so they are rejected.
  demandFitPath(path)
  demandFitQuery(query)
  return `${basePath}${path.replace(toEncode, encodeURIComponent)}${query === '' ? '' : `?${query}`}`
}

function demandFitPath(path: string): void {
  if (!path.isWellFormed() || unfit.test(path))
    throw new InvalidRequestError(
      'path',
      'contains %, ?, #, a backslash, a control character or bytes that are not UTF-8 after it is decoded. Tokenwell does not forward such a path.',
    )
  if (path.startsWith('//'))
    throw new InvalidRequestError(
      'path',
      'begins with two slashes. A server could read the next part as a host. Send one slash.',
    )
  if (path.split('/').some(isStepOut))
    throw new InvalidRequestError(
      'path',
      "contains a . or .. segment, or a segment that a server could read as one. A call must stay below the connection's base path.",
    )
}

/** Some servers read full-width characters as their ASCII forms, and some ignore everything after a semicolon. */
function isStepOut(part: string): boolean {
  return /[/\\]|^\.{1,2}(;|$)/.test(part.normalize('NFKC'))
}

function demandFitQuery(query: string): void {
  if (!/^[\x21\x22\x24-\x7e]*$/.test(query))
    throw new InvalidRequestError(
      'query',
      'contains a space, #, a control character or a character that is not ASCII. Percent-encode it.',
    )
  if (/(^|&)x-amz-(signature|security-token|credential)=/i.test(query))
    throw new InvalidRequestError(
      'query',
      'contains an AWS signature, which would be forwarded to the API. Sign the request in its headers instead.',
    )
}
