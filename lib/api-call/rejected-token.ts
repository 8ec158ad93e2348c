import type { TokenRejection } from '../configuration/api.ts'
import type { ApiAnswer } from './api-endpoint.ts'

export const unauthorized = 401

/** Whether the API rejects the token (RFC 6750 section 3.1), by the rule of the connection. */
export function isTokenRejected(
  { status, headers }: Pick<ApiAnswer, 'status' | 'headers'>,
  rejection: TokenRejection,
): boolean {
  if (status !== unauthorized) return false
  return rejection === 'any_401' || saysInvalidToken({ headers })
}

/** Whether a challenge says so (RFC 6750 section 3.1). */
export function saysInvalidToken(answer: Pick<ApiAnswer, 'headers'>): boolean {
  return challengesOf(answer).some(
    ({ scheme, parameters }) => scheme === 'bearer' && parameters.get('error') === 'invalid_token',
  )
}

/** Whether a 401 may be about user and password: not where it blames a token and asks for no password. */
export function mayRejectPassword(answer: Pick<ApiAnswer, 'headers'>): boolean {
  return !saysInvalidToken(answer) || challengesOf(answer).some(({ scheme }) => scheme === 'basic')
}

function challengesOf({ headers }: Pick<ApiAnswer, 'headers'>): readonly Challenge[] {
  return [headers['www-authenticate'] ?? []].flat().flatMap(readChallenges)
}

/** One challenge of `WWW-Authenticate` (RFC 9110 section 11.6.1). */
export interface Challenge {
  /** In lower case. */
  readonly scheme: string
  /** The names are in lower case. */
  readonly parameters: ReadonlyMap<string, string>
}

const token = "[\\w!#$%&'*+.^`|~-]+"
const separator = /^[\s,]+/
const parameter = new RegExp(`^(${token})\\s*=\\s*(?:(${token})|"((?:[^"\\\\]|\\\\.)*)")(?=[\\s,]|$)`, 's')
const schemeName = new RegExp(`^(${token})(?=[\\s,]|$)`)
/** Some schemes have a token68 instead of parameters. */
const token68 = /^ +[\w.~+/-]+=*(?=\s*(,|$))/

/** The challenges of a header in their order, up to the first part that is not a challenge. */
export function readChallenges(header: string): readonly Challenge[] {
  const challenges: { scheme: string; parameters: Map<string, string> }[] = []
  for (let rest = header.replace(separator, ''); rest !== ''; rest = rest.replace(separator, '')) {
    const current = challenges.at(-1)
    const [asParameter, name = '', bare, quoted = ''] = (current && parameter.exec(rest)) ?? []
    if (current && asParameter !== undefined) {
      if (!current.parameters.has(name.toLowerCase()))
        current.parameters.set(name.toLowerCase(), bare ?? quoted.replace(/\\(.)/gs, '$1'))
      rest = rest.slice(asParameter.length)
      continue
    }
    const [scheme] = schemeName.exec(rest) ?? []
    if (scheme === undefined) return challenges
    challenges.push({ scheme: scheme.toLowerCase(), parameters: new Map() })
    rest = rest.slice(scheme.length).replace(token68, '')
  }
  return challenges
}
