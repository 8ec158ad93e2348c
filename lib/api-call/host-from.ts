import type { Token } from '../access-token/token.ts'
import type { ApiOfToken, ProtectedApi } from '../configuration/api.ts'
import { isDnsName, isLocalHost, isWithin } from '../configuration/host-pattern.ts'
import { isReachedDirectly } from '../configuration/no-proxy.ts'
import { ApiCallError } from './api-endpoint.ts'

export type WhyRefused = 'missing' | 'not_an_origin' | 'not_within' | 'not_public'

/** Why no call was made to the host that a token answer names. Undefined for all other errors. */
export function whyRefused(error: ApiCallError): WhyRefused | undefined {
  if (error instanceof HostRefusedError) return error.why
  return error.code === 'destination_ip_prohibited' ? 'not_public' : undefined
}

/** A token answer names no host, or one at which the API must not be called. No call was made. */
export class HostRefusedError extends ApiCallError {
  readonly why: WhyRefused

  constructor(why: WhyRefused, message: string) {
    super('destination_not_found', message, { wasSent: false })
    this.why = why
  }
}

/**
 * The API at the origin that the token's answer names, or the one of the elements.
 * @throws {HostRefusedError} if the answer names no origin that the elements allow
 */
export function apiOfToken(api: ProtectedApi | ApiOfToken, token: Token): ProtectedApi {
  if (!('hostFrom' in api)) return api
  const { hostFrom, proxy, ...rest } = api
  const host = readHost(token, hostFrom)
  const origin = `https://${host}`
  const viaProxy = proxy && !isReachedDirectly(new URL(origin), hostFrom.noProxy)
  return { ...rest, origin, ...(viaProxy && { proxy }), ...(!isLocalHost(host) && { isPublicOnly: true }) }
}

/** An origin (RFC 6454 section 6.2), also with its default port or a slash. A user, path, query or fragment does not match. */
const originForm = /^https:\/\/([a-z0-9.-]{1,253}|localhost:\d{1,5})(?::443)?\/?$/i

function readHost({ connection, passedOn = {} }: Token, { member, within }: ApiOfToken['hostFrom']): string {
  const value = Object.hasOwn(passedOn, member) ? passedOn[member] : undefined
  if (value === undefined)
    throw new HostRefusedError(
      'missing',
      `The token of the connection ${connection} came without the member ${member}, so Tokenwell does not know the host of its API. Check what the authorization server answers.`,
    )
  // Matched before it is put in lower case: that would turn the Kelvin sign into an ASCII letter.
  const host = originForm.exec(String(value))?.[1]?.toLowerCase() ?? ''
  if (!isDnsName(host) && !isLocalHost(host))
    throw new HostRefusedError(
      'not_an_origin',
      `The member ${member} that came with the token of the connection ${connection} is not an https:// origin with a host name and port 443. Tokenwell makes no call. Check what the authorization server answers.`,
    )
  if (!isWithin(host, within))
    throw new HostRefusedError(
      'not_within',
      `The member ${member} that came with the token of the connection ${connection} names the host ${host}. The attribute within of hostFrom does not allow it, so Tokenwell makes no call. If this is a host of the API, add it to within.`,
    )
  return host
}
