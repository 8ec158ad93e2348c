import type { TokenEndpointAnswer } from '../../../lib/token-endpoint/token-endpoint.ts'
import { exampleIssuer } from '../elements/element-store.ts'
import { exampleElements, type RawElements, withoutUndefined } from '../elements/elements.ts'
import {
  createFleetWithEventBus,
  type FleetWithEventBus,
  type FleetWithEventBusOptions,
} from './fleet-with-event-bus.ts'
import { changeableElements } from './tokens-in-virtual-time.ts'
import type { VirtualEndpoint } from './virtual-ports.ts'

/** Changes of the elements of the two further tokens, and of the connection. */
export interface SeveralTokensChanges {
  readonly session?: Record<string, unknown>
  readonly signed?: Record<string, unknown>
  readonly signingBuilder?: Record<string, unknown>
  readonly oAuth?: Record<string, unknown>
  readonly endpoint?: Record<string, unknown>
}

/**
 * The connection `conn` with three tokens: the main one of `theConfig`, one from the token server `sessionServer`, and one that Tokenwell
 * signs.
 */
export function severalTokens(changes: SeveralTokensChanges = {}): RawElements {
  const elements = exampleElements(exampleIssuer, {
    ...(changes.oAuth && { oAuth: changes.oAuth }),
    endpoint: { authenticationConfigRef: ['theConfig', 'session', 'signed'], ...changes.endpoint },
  })
  return withoutUndefined({
    ...elements,
    authToken: {
      session: {
        authServerRef: 'sessionServer',
        header: 'X-Session',
        useBearerScheme: false,
        tokenRequest: { credentialLocation: 'header' },
        tokenResponse: { tokenLocation: 'body', responseFormat: 'JSON', tokenPath: 'session' },
        ...changes.session,
      },
    },
    authTokenLocal: {
      signed: { tokenGeneratorRef: 'signingBuilder', header: 'X-Signed', useBearerScheme: false, ...changes.signed },
    },
    jwtBuilder: {
      ...elements['jwtBuilder'],
      signingBuilder: { issuer: 'me', jwkEnabled: true, jti: false, expiresInSeconds: 300, ...changes.signingBuilder },
    },
    authorizationServer: {
      ...elements['authorizationServer'],
      sessionServer: { tokenEndpoint: 'https://session.example.com/login', basicAuthRef: 'theUser' },
    },
    authData: { theUser: { user: 'robot', passwordSecret: 'tokenwell/local/session-password' } },
  })
}

export interface SeveralTokensFleet extends FleetWithEventBus {
  /** The number of requests that the server with this id has got. */
  requestsTo(server: string): number
  changeSeveral(changes: SeveralTokensChanges): void
}

/** A fleet whose only connection has several tokens. */
export function createSeveralTokensFleet(
  endpoint: VirtualEndpoint,
  options: FleetWithEventBusOptions & { readonly several?: SeveralTokensChanges } = {},
): SeveralTokensFleet {
  const { several = {}, ...others } = options
  const elements = changeableElements(severalTokens(several))
  const fleet = createFleetWithEventBus(endpoint, { elements, ...others })
  return {
    ...fleet,
    requestsTo: (server) => fleet.requests().filter((each) => each.server === server).length,
    changeSeveral: (changes) => elements.change(severalTokens(changes)),
  }
}

let issued = 0

/** An answer of `sessionServer`, with a token that no other answer has. */
export function sessionToken(claims?: Record<string, unknown>): TokenEndpointAnswer {
  const number = issued++
  const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const session = claims ? `${part({ alg: 'none' })}.${part({ number, ...claims })}.e30` : `some-session-${number}`
  return { status: 200, body: JSON.stringify({ session }) }
}
