import { isSignedByTokenwell, type WebIdentityConfiguration } from './assertion-configuration.ts'
import type { Grant, ServedConnection } from './connection.ts'
import type { AuthorizationServer, ElementReference, OAuthConfig } from './element.ts'
import type { Resolution } from './element-graph.ts'
import { resolveAssertion } from './resolve-assertion.ts'
import { isSharedKeyAlgorithm } from './signature-algorithm.ts'

export type ResolvedClient = Pick<ServedConnection, 'clientId' | 'clientAuthentication'>
export type Method = NonNullable<OAuthConfig['clientAuthentication']>

/** An `oAuthConfig`, and what it refers to. */
export interface ClientOrigin {
  readonly element: ElementReference
  readonly config: OAuthConfig
  readonly server: AuthorizationServer | undefined
  /** Undefined if it has a mistake. */
  readonly grant: Grant | undefined
}

/** A client that authenticates with an assertion (RFC 7523 section 2.2). Undefined if it can't be resolved. Then there is a finding. */
export function clientWithAssertion(resolution: Resolution, origin: ClientOrigin): ResolvedClient | undefined {
  const { element, config, server } = origin
  const { findings } = resolution
  const {
    clientAuthentication,
    jwtAuthenticationTokenRef,
    jwtAuthenticationSetClientId = false,
    authServerRef,
  } = config
  if (clientAuthentication === undefined && server?.basicAuthRef !== undefined)
    findings.addMistake(
      element,
      'jwtAuthenticationTokenRef',
      `authorizationServer/${authServerRef} has basicAuthRef too, but a client uses only one authentication method (RFC 6749 section 2.3). Take out one of the two attributes, or set clientAuthentication.`,
    )
  if (jwtAuthenticationTokenRef === undefined) {
    findings.addMistake(
      element,
      'clientAuthentication',
      `${clientAuthentication} needs an assertion. Name an oAuthTokenConfig element in jwtAuthenticationTokenRef.`,
    )
    return undefined
  }
  const assertion = resolveAssertion(resolution, jwtAuthenticationTokenRef, authServerRef, 'client')
  if (!assertion) return undefined
  if (!isSignedByTokenwell(assertion)) return byWebIdentity(resolution, origin, assertion)
  refuseClientId(resolution, origin)
  if (assertion.subject === undefined) return undefined

  const method = isSharedKeyAlgorithm(assertion.algorithm) ? 'client_secret_jwt' : 'private_key_jwt'
  if (clientAuthentication !== undefined && clientAuthentication !== method)
    findings.addMistake(
      element,
      'clientAuthentication',
      `The algorithm of jwtBuilder/${assertion.key.jwtBuilder} is ${assertion.algorithm}, which makes this ${method}. Set this attribute to ${method}, or choose another algorithm.`,
    )
  const sendClientId = jwtAuthenticationSetClientId
  return { clientId: assertion.subject, clientAuthentication: { method, assertion, sendClientId } }
}

/** The sub of the assertion is a role of AWS. So the server finds the client by it, or by `clientId`. */
function byWebIdentity(
  { findings }: Resolution,
  { element, config }: ClientOrigin,
  assertion: WebIdentityConfiguration,
): ResolvedClient {
  const { clientAuthentication, jwtAuthenticationSetClientId, clientId } = config
  const method = 'private_key_jwt'
  if (clientAuthentication !== undefined && clientAuthentication !== method)
    findings.addMistake(
      element,
      'clientAuthentication',
      `AWS signs the JWT of awsWebIdentity/${assertion.awsWebIdentity} with a private key, which makes this ${method}. Set this attribute to ${method}.`,
    )
  if (jwtAuthenticationSetClientId !== undefined)
    findings.addMistake(
      element,
      'jwtAuthenticationSetClientId',
      'The sub of the JWT is a role of AWS and not the client id. Write the client id into clientId, which is then sent, and take this attribute out.',
    )
  return {
    clientId: clientId ?? assertion.awsWebIdentity,
    clientAuthentication: { method, assertion, sendClientId: clientId !== undefined },
  }
}

/** Only a client without authentication has it, or one whose assertion AWS signs. */
export function refuseClientId({ findings }: Resolution, { element, config }: ClientOrigin): void {
  if (config.clientId === undefined) return
  const { clientAuthentication: method } = config
  findings.addMistake(
    element,
    'clientId',
    method === undefined
      ? 'It is only for a client without authentication. Set clientAuthentication to none, or take this attribute out.'
      : withoutEffect(method),
  )
}

export function withoutEffect(method: Method): string {
  return `It has no effect, because clientAuthentication is ${method}. Take out one of the two attributes.`
}
