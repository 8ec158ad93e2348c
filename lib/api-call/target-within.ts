import { InvalidRequestError } from '../admission/admit-request.ts'

/** What can't have come through decoding unharmed, or would not mean the same once it stands in a path. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const unfit = /[%?#\\\u0000-\u001f\u007f-\u009f\ufffd]/
/** RFC 3986 section 3.3: what stands in a path as it is. */
const plain = /[^\w.~!$&'()*+,;=:@/-]+/g

/**
 * Path and query of a call, below the API's base path and nowhere else.
 * @param path decoded, as an HTTP API hands it over; begins with a slash. What can't stand in a path is encoded again
 * @param query as it came, and as it goes on
 * @throws {InvalidRequestError} saying what can't pass
 */
export function targetWithin(basePath: string, path: string, query: string): string {
  demandFitPath(path)
  demandFitQuery(query)
  return `${basePath}${path.replace(plain, encodeURIComponent)}${query === '' ? '' : `?${query}`}`
}

function demandFitPath(path: string): void {
  if (!path.isWellFormed() || unfit.test(path))
    throw new InvalidRequestError(
      'path',
      'holds %, ?, #, a backslash, a control character, or bytes that are not UTF-8: once decoded, none of them can pass.',
    )
  if (path.startsWith('//'))
    throw new InvalidRequestError('path', 'begins with two slashes: what follows could be taken for a host.')
  if (path.split('/').some(isStepOut))
    throw new InvalidRequestError('path', "holds . or .. as a part: a call stays below the connection's base path.")
}

/** Some servers read full-width forms as what they look like, and some pass over what follows a semicolon. */
function isStepOut(part: string): boolean {
  return /[/\\]|^\.{1,2}(;|$)/.test(part.normalize('NFKC'))
}

function demandFitQuery(query: string): void {
  if (!/^[\x21\x22\x24-\x7e]*$/.test(query))
    throw new InvalidRequestError(
      'query',
      'holds a blank, #, a control character or another one that is not ASCII: encode it.',
    )
  if (/(^|&)x-amz-(signature|security-token|credential)=/i.test(query))
    throw new InvalidRequestError('query', 'is signed, and its signature would go on to the API: sign in the headers.')
}
