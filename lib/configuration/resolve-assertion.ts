import { type ElementGraph, standIns } from './collect-elements.ts'
import type { AssertionConfiguration, KeyReference } from './connection.ts'
import type { AuthorizationServer, ElementReference, JwtBuilder, OAuthTokenConfig } from './element.ts'
import type { Note } from './finding.ts'
import { type Surroundings, secretPrefix } from './surroundings.ts'
import { warnOfAssertion } from './warn-of-assertion.ts'

const defaultExpiresInSeconds = 120
const defaultModulusLength = 2048

/** Undefined where an element that it can't do without is missing, can't be read, or contradicts itself: that is noted. */
export function resolveAssertion(
  graph: ElementGraph,
  surroundings: Surroundings,
  tokenConfigId: string,
  serverId: string,
  note: Note,
): AssertionConfiguration | undefined {
  const tokenConfig = graph.get('oAuthTokenConfig', tokenConfigId)
  const builder = graph.get('jwtBuilder', tokenConfig?.tokenGeneratorRef)
  const server = graph.get('authorizationServer', serverId)
  if (!tokenConfig || !builder) return undefined

  const element: ElementReference = { kind: 'jwtBuilder', id: tokenConfig.tokenGeneratorRef }
  const tokenElement: ElementReference = { kind: 'oAuthTokenConfig', id: tokenConfigId }
  const key = resolveKey(graph, surroundings, element, builder, note)
  const audiences = resolveAudiences(element, builder, tokenConfig, server, serverId, note)
  if (!key || !audiences) return undefined

  const { sub: _sub, iat: _iat, ...claims } = tokenConfig.claims ?? {}
  for (const claim of ['sub', 'iat'])
    if (tokenConfig.claims && claim in tokenConfig.claims)
      note('warning', tokenElement, 'claims', `${claim} never takes effect there: take it out.`)
  const { typ = 'JWT', nbfOffset, scope } = builder
  const assertion: AssertionConfiguration = {
    issuer: builder.issuer ?? `${surroundings.publicUrl}/jwt/${element.id}`,
    subject: tokenConfig.tokenSubject,
    audiences,
    expiresInSeconds: seconds(builder.expiresInSeconds ?? builder.expiry) ?? defaultExpiresInSeconds,
    issuedAtOffsetSeconds: seconds(builder.issuedAtOffset) ?? 0,
    ...(nbfOffset !== undefined && { notBeforeOffsetSeconds: seconds(nbfOffset) ?? 0 }),
    hasJwtId: builder.jti ?? true,
    ...(scope !== undefined && { scope }),
    claims,
    algorithm: builder.signatureAlgorithm ?? 'RS256',
    ...(typ !== 'none' && { type: typ }),
    certificateThumbprint: builder.certificateThumbprint ?? 'none',
    key,
  }
  const lifetimeAttribute =
    builder.expiresInSeconds === undefined && builder.expiry !== undefined ? 'expiry' : 'expiresInSeconds'
  warnOfAssertion(assertion, { builder: element, tokenConfig: tokenElement, lifetimeAttribute, server }, note)
  return assertion
}

function seconds(milliseconds: number | undefined): number | undefined {
  return milliseconds === undefined ? undefined : Math.trunc(milliseconds / 1000)
}

/** Where no one says whom the assertion is for, there is nothing to guess: a server accepts only its own name. */
function resolveAudiences(
  element: ElementReference,
  builder: JwtBuilder,
  tokenConfig: OAuthTokenConfig,
  server: AuthorizationServer | undefined,
  serverId: string,
  note: Note,
): readonly string[] | undefined {
  if (builder.audiences) return builder.audiences
  if (server?.issuer !== undefined) return [server.issuer]
  if (tokenConfig.claims?.['aud'] !== undefined) return []
  if (server)
    note(
      'mistake',
      element,
      'audiences',
      `the assertion would have no aud: set issuer on authorizationServer/${serverId} (best: RFC 7523bis wants the server's issuer identifier), or audiences here, or aud in claims of oAuthTokenConfig.`,
    )
  return undefined
}

function resolveKey(
  graph: ElementGraph,
  surroundings: Surroundings,
  element: ElementReference,
  builder: JwtBuilder,
  note: Note,
): KeyReference | undefined {
  const { signatureAlgorithm = 'RS256', sharedKey, jwkEnabled, keyStoreRef, keyAlias } = builder
  if (signatureAlgorithm.startsWith('HS')) return resolveSharedKey(element, builder, note)
  if (sharedKey !== undefined) {
    note(
      'mistake',
      element,
      'sharedKey',
      `${signatureAlgorithm} signs with a private key; take sharedKey out, or choose an HS* algorithm.`,
    )
    return undefined
  }
  if (jwkEnabled) {
    for (const attribute of ['keyStoreRef', 'keyAlias'] as const)
      if (builder[attribute] !== undefined)
        note('warning', element, attribute, 'it is ignored: with jwkEnabled Tokenwell makes the key itself.')
    const modulusLength = builder.jwkSigningKeySize ?? defaultModulusLength
    return { location: generatedKeyLocation(surroundings, element.id), generated: { modulusLength } }
  }

  const location = graph.get('keyStore', keyStoreRef ?? standIns.keyStore)?.location
  if (location !== undefined) return { location, ...(keyAlias !== undefined && { alias: keyAlias }) }
  if (keyStoreRef === undefined && !graph.has('keyStore', standIns.keyStore))
    note(
      'mistake',
      element,
      'keyStoreRef',
      `the assertion has no key: name a keyStore here, add keyStore/${standIns.keyStore}, or set jwkEnabled.`,
    )
  return undefined
}

function resolveSharedKey(
  element: ElementReference,
  { signatureAlgorithm, sharedKey, jwkEnabled }: JwtBuilder,
  note: Note,
): KeyReference | undefined {
  if (jwkEnabled)
    note(
      'mistake',
      element,
      'jwkEnabled',
      `a JWK set publishes public keys, and ${signatureAlgorithm} has none; take jwkEnabled out, or choose an asymmetric algorithm.`,
    )
  if (sharedKey !== undefined) return { location: sharedKey }
  note('mistake', element, 'sharedKey', `${signatureAlgorithm} needs it: the name of the secret that holds the key.`)
  return undefined
}

/** The secret in which the keys of a jwtBuilder with `jwkEnabled` are kept. */
function generatedKeyLocation(surroundings: Pick<Surroundings, 'stage'>, jwtBuilder: string): string {
  return `${secretPrefix(surroundings)}jwk/${jwtBuilder}`
}
