import { isJsonObject } from '../base/decoding.ts'
import type { AuthTokenOrigin } from './auth-token-mistakes.ts'
import { isSecretLeaf, leavesOfBody, readLeaf } from './body-leaf.ts'
import type { ResolvedAuthorizationServer } from './connection.ts'
import type { FindingList } from './finding.ts'
import { soundsSecret } from './read-element.ts'

/** Warnings about an `authToken`: about attributes without effect, and about a request without credentials. */
export function adviseOnAuthToken(
  origin: AuthTokenOrigin,
  resolved: ResolvedAuthorizationServer | undefined,
  findings: FindingList,
): void {
  const { element } = origin
  for (const sentence of adviceOnRequest(origin)) findings.addWarning(element, 'tokenRequest', sentence)
  for (const sentence of adviceOnResponse(origin)) findings.addWarning(element, 'tokenResponse', sentence)
  for (const sentence of adviceOnServer(origin)) findings.addWarning(element, 'authServerRef', sentence)
  if (resolved && !hasCredentials(origin, resolved))
    findings.addWarning(
      element,
      'jwtAuthenticationTokenRef',
      `The request for the token has no credentials: everybody could make it. Set this attribute, or basicAuthRef on authorizationServer/${resolved.id}.`,
    )
}

function adviceOnRequest({ attributes: { tokenRequest = {} } }: AuthTokenOrigin): readonly string[] {
  const { credentialLocation = 'header', header, userHeader, requestBody, bodyFormat } = tokenRequest
  const advice: string[] = []
  if (header !== undefined && credentialLocation === 'body')
    advice.push('header has no effect: credentialLocation is body. Take it out.')
  if (header !== undefined && userHeader !== undefined)
    advice.push('header has no effect: userHeader and passwordHeader carry the credentials. Take it out.')
  if (bodyFormat !== undefined && requestBody === undefined)
    advice.push('bodyFormat has no effect: there is no requestBody. Take it out.')
  for (const name of namesOfPlainSecrets(requestBody))
    advice.push(
      `The name of the member ${name} in requestBody suggests a secret. Keep its value in the secret store, and write { "secret": "<its name>" }.`,
    )
  return advice
}

/** The names that suggest a secret, where the value is a text. */
function namesOfPlainSecrets(value: unknown): readonly string[] {
  if (Array.isArray(value)) return value.flatMap(namesOfPlainSecrets)
  if (!isJsonObject(value) || readLeaf(value) !== undefined) return []
  return Object.entries(value).flatMap(([name, member]) =>
    typeof member === 'string' ? (soundsSecret(name) ? [name] : []) : namesOfPlainSecrets(member),
  )
}

function adviceOnResponse({ attributes: { tokenResponse = {} } }: AuthTokenOrigin): readonly string[] {
  const { tokenLocation = 'body', tokenPath, responseFormat, header, expiresPath } = tokenResponse
  const isInHeader = tokenLocation === 'header'
  const ignored = [
    ['tokenPath', isInHeader && tokenPath !== undefined, 'tokenLocation is header'],
    // With expiresPath it says how the body is read.
    [
      'responseFormat',
      isInHeader && responseFormat !== undefined && expiresPath === undefined,
      'tokenLocation is header',
    ],
    ['header', !isInHeader && header !== undefined, 'the token is in the body'],
  ] as const
  return ignored.flatMap(([name, isIgnored, reason]) =>
    isIgnored ? [`${name} has no effect: ${reason}. Take it out.`] : [],
  )
}

/** Attributes of a server that are about requests of OAuth 2.0 and their answers. */
const attributesOfOAuth = ['tokenTypes', 'scopeSeparator', 'parametersInQuery'] as const

function adviceOnServer({ attributes: { authServerRef }, server }: AuthTokenOrigin): readonly string[] {
  return attributesOfOAuth.flatMap((name) =>
    server?.[name] === undefined
      ? []
      : [
          `${name} of authorizationServer/${authServerRef} has no effect here: only an oAuthConfig uses it. Take it out there. If an oAuthConfig uses that element too, give this one an element of its own.`,
        ],
  )
}

function hasCredentials(
  { attributes: { jwtAuthenticationTokenRef, tokenRequest }, server }: AuthTokenOrigin,
  { headers = {}, tls }: ResolvedAuthorizationServer,
): boolean {
  return (
    tokenRequest?.credentialsFrom === 'caller' ||
    jwtAuthenticationTokenRef !== undefined ||
    server?.basicAuthRef !== undefined ||
    tls.clientCertificate !== undefined ||
    Object.values(headers).some((value) => typeof value !== 'string') ||
    leavesOfBody(tokenRequest?.requestBody).some(isSecretLeaf)
  )
}
