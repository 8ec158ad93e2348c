import { createHash } from 'node:crypto'
import { canonicalJson } from '../base/canonical-json.ts'
import {
  type AssertionConfiguration,
  isInKms,
  isSignedByTokenwell,
  type KeyReference,
} from './assertion-configuration.ts'
import {
  type Connection,
  type ExchangedToken,
  isServed,
  type LocalConnection,
  type TokenConnection,
  type TokenExchangeGrant,
  tokensOf,
} from './connection.ts'
import { keyOf } from './element.ts'
import { jwtBearer, tokenExchange } from './grant-type.ts'

/** The fingerprint of a connection that the operator has disabled. It can't equal a hash, as it is shorter. */
export const disabledFingerprint = 'disabled'

/**
 * The versions of Tokenwell that make other tokens of this connection than the version before them, each by a name that is never used
 * again. A token of the former meaning is no token of the elements any more. There is no such version yet.
 */
function changesOfMeaning(_connection: Connection): readonly string[] {
  return []
}

/**
 * A hash over everything in a connection that can change the issued token, how long it is used, or which requests are allowed.
 * Keys of assertions, timeouts, TLS and proxies are left out: when they change, cached tokens stay valid. So is the API, unless Tokenwell
 * signs a token for it.
 */
export function fingerprintOf(connection: Connection, changes = changesOfMeaning(connection)): string {
  const [main, ...others] = tokensOf(connection)
  const identity = {
    ...(main && tokenIdentity(main)),
    // A connection with one token has the hash of 0.2.
    // In any order: that of the list has no effect.
    ...(others.length > 0 && {
      others: Object.fromEntries(others.map((each) => [keyOf(each.authentication), tokenIdentity(each)])),
    }),
    // Without a change of meaning the hash is that of 0.1 and 0.2.
    ...(changes.length > 0 && { meaning: changes }),
  }
  return createHash('sha256').update(canonicalJson(identity)).digest('base64url')
}

function tokenIdentity(connection: TokenConnection): object {
  if (!isServed(connection)) return localIdentity(connection)
  const { grant, clientId, clientAuthentication, authorizationServer, parameters, passOn, requestMay } = connection
  const { tokenEndpoint, issuer, lifetime, scopeSeparator, headers, parametersInQuery } = authorizationServer
  return {
    ...{ grantType: grant.type, clientId, tokenEndpoint, issuer, lifetime, parameters },
    ...{ requestMay, scopeSeparator, headers, parametersInQuery },
    // Where a host counts no longer, a token that came from it must not be handed out.
    ...('discovery' in authorizationServer && { tokenEndpointHosts: authorizationServer.discovery.hosts }),
    ...('assertion' in clientAuthentication && { assertion: assertionIdentity(clientAuthentication.assertion) }),
    ...(grant.type === jwtBearer && { grant: { ...grant, assertion: assertionIdentity(grant.assertion) } }),
    ...(grant.type === tokenExchange && { grant: exchangeIdentity(grant) }),
    ...(grant.type === 'authToken' && { grant }),
    // A token that was obtained without these members must not be handed out.
    ...(passOn && { passOn }),
  }
}

/**
 * The key is a part of it: with another key it is another token, which the API may not accept. When Tokenwell makes the next key is not. The
 * API is a part of it, since the secret of the key may list hosts, and no other host may get what the key has signed.
 */
function localIdentity({ grant, requestMay, parameters, lifetime, api }: LocalConnection): object {
  const { key, ...assertion } = grant.assertion
  const signed = { ...grant, assertion: { ...assertion, key: keyIdentity(key) } }
  return { grant: signed, requestMay, parameters, lifetime, api: api?.origin }
}

function keyIdentity(key: KeyReference): object {
  if (isInKms(key)) {
    const { publishAheadSeconds: _times, ...used } = key
    return used
  }
  const { generated: _times, ...used } = key
  return used
}

/** A server may decide by any member of the header that the operator adds. `kid` and certificates only find the key. */
function assertionIdentity(assertion: AssertionConfiguration): object {
  if (!isSignedByTokenwell(assertion)) {
    const { audiences, tags, hasOwnRole } = assertion
    return { awsWebIdentity: { audiences, tags, hasOwnRole } }
  }
  const { issuer, subject, audiences, scope, claims, header, omitted = [] } = assertion
  const absent = (['iss', 'sub', 'aud'] as const).filter((name) => omitted.includes(name))
  return { issuer, subject, audiences, scope, claims, header, ...(absent.length > 0 && { omitted: absent }) }
}

function exchangeIdentity({ type, subject, actor }: TokenExchangeGrant): object {
  const identity = (token: ExchangedToken) => ({
    ...token,
    ...(token.assertion && { assertion: assertionIdentity(token.assertion) }),
  })
  return { type, subject: identity(subject), ...(actor && { actor: identity(actor) }) }
}
