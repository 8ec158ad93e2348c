import * as v from 'valibot'
import { findDuplicateName, isDeeplyNested, isJsonObject, type JsonObject, parseJson } from '../base/decoding.ts'
import { hostFrom, passOn } from './answer-attribute-schema.ts'
import { header, omit } from './assertion-schema.ts'
import {
  assertionParameters,
  authenticationConfigRef,
  basePath,
  certificateSubjects,
  claimsFromRequest,
  clientAuthentication,
  duration,
  exchangedTokenType,
  flag,
  grantType,
  host,
  hostName,
  keyLocation,
  noProxy,
  object,
  oneOf,
  oneOrMoreTexts,
  reference,
  resource,
  scope,
  scopeSeparator,
  seconds,
  secretName,
  text,
  tokenEndpoint,
  tokenEndpointHosts,
  tokenTypes,
  wholeNumber,
} from './attribute-schema.ts'
import { tokenRequest, tokenResponse, tokenUse } from './auth-token-schema.ts'
import { headers } from './header-schema.ts'
import { authorizationDetails, parameters, parametersInQuery, requestMay } from './parameter-schema.ts'
import { signatureAlgorithms } from './signature-algorithm.ts'
import { webIdentity } from './web-identity-schema.ts'

const claimsMessage = 'an object of claims, or a text that holds such an object as JSON'
export const claims = v.pipe(
  v.union([v.string(), v.custom<JsonObject>(isJsonObject)], claimsMessage),
  v.check((value) => isJsonObject(parseClaims(value)), claimsMessage),
  v.transform(parseClaims),
  object<JsonObject>(claimsMessage, (value) => [
    ...claimRules.flatMap(([name, isRight, message]) =>
      Object.hasOwn(value, name) && !isRight(value[name]) ? [`The claim ${name} must be ${message}.`] : [],
    ),
    ...Object.entries(value).flatMap(([name, claim]) =>
      claim === null ? [`The claim ${name} is null. Give it a value, or take it out.`] : [],
    ),
  ]),
)

/** Undefined for a text with a duplicate name: `JSON.parse` would silently drop one of the two values. */
function parseClaims(value: string | JsonObject): unknown {
  if (typeof value !== 'string') return value
  const claimSet = isDeeplyNested(value) ? undefined : parseJson(value)
  return isJsonObject(claimSet) && !findDuplicateName(value) ? claimSet : undefined
}

const acceptedWarnings = v.pipe(
  oneOrMoreTexts('the name of one attribute or a list of names'),
  v.description('Attributes of this element whose warnings the operator accepts.'),
)

/** RFC 7519 section 4.1. */
const isText = (value: unknown) => typeof value === 'string' && value.trim() !== ''
const isDate = (value: unknown) => Number.isSafeInteger(value) && Number(value) > 0
const isAudience = (value: unknown) =>
  isText(value) || (Array.isArray(value) && value.length > 0 && value.every(isText))
const claimRules: readonly (readonly [string, (value: unknown) => boolean, string])[] = [
  ['iss', isText, 'a text'],
  ['aud', isAudience, 'a text or a list of texts'],
  ['exp', isDate, 'a whole number of seconds since 1970'],
  ['nbf', isDate, 'a whole number of seconds since 1970'],
  ['jti', isText, 'a text'],
]

/**
 * The attributes of each kind of element: their form in a file or parameter, and their type once they are read (`Elements`).
 * Rules between elements are checked when a connection is resolved.
 */
export const elementSchemas = {
  /** A named way to get a token, and the API that the token is for. Callers name no other element. */
  endpointConnection: v.strictObject({
    authenticationConfigRef,
    /** Scheme and host, as in z/OS Connect: `https://api.server.com`. */
    host: v.exactOptional(host),
    port: v.exactOptional(wholeNumber(1, 65_535)),
    domainBasePath: v.exactOptional(basePath),
    sslCertsRef: v.exactOptional(reference('ssl')),
    proxyConfigRef: v.exactOptional(reference('proxyConfig')),
    connectionTimeout: v.exactOptional(duration({ least: '1ms' })),
    receiveTimeout: v.exactOptional(duration({ least: '1ms' })),
    disabled: v.exactOptional(flag),
    /** Whether callers may invoke the functions by the connection's alias, instead of the HTTP API. */
    directInvocation: v.exactOptional(flag),
    /** Which callers may use the connection at the HTTP API for client certificates. */
    clientCertificateSubjects: v.exactOptional(certificateSubjects),
    warm: v.exactOptional(flag),
    warmIdle: v.exactOptional(duration({ least: '1m', most: '720h' })),
    warmVariants: v.exactOptional(wholeNumber(1, 100)),
    acceptedWarnings: v.exactOptional(acceptedWarnings),
  }),
  oAuthConfig: v.strictObject({
    grantType: v.exactOptional(grantType),
    authServerRef: reference('authorizationServer'),
    clientAuthentication: v.exactOptional(clientAuthentication),
    clientId: v.exactOptional(
      v.pipe(text(), v.description('The client_id that a client without authentication sends.')),
    ),
    jwtAuthenticationTokenRef: v.exactOptional(reference('oAuthTokenConfig')),
    jwtAuthenticationSetClientId: v.exactOptional(flag),
    tlsAuthenticationClientId: v.exactOptional(
      v.pipe(text(), v.description('The OAuth 2.0 client id of a client that authenticates with its TLS certificate.')),
    ),
    assertionTokenRef: v.exactOptional(reference('oAuthTokenConfig')),
    assertionParameters: v.exactOptional(assertionParameters),
    claimsFromRequest: v.exactOptional(claimsFromRequest),
    subjectTokenRef: v.exactOptional(reference('oAuthTokenConfig')),
    subjectTokenType: v.exactOptional(exchangedTokenType),
    actorTokenRef: v.exactOptional(reference('oAuthTokenConfig')),
    actorTokenType: v.exactOptional(exchangedTokenType),
    requestedTokenType: v.exactOptional(exchangedTokenType),
    tokenRetryCheckLevel: v.exactOptional(oneOf([1, 2, 3])),
    scope: v.exactOptional(scope),
    resource: v.exactOptional(resource),
    audience: v.exactOptional(text()),
    authorizationDetails: v.exactOptional(authorizationDetails),
    parameters: v.exactOptional(parameters),
    requestMay: v.exactOptional(requestMay),
    passOn: v.exactOptional(passOn),
    hostFrom: v.exactOptional(hostFrom),
    defaultScope: v.exactOptional(
      v.pipe(
        scope,
        v.description('The scopes that are sent when a request names none. requestMay must list each of them.'),
      ),
    ),
    acceptedWarnings: v.exactOptional(acceptedWarnings),
  }),
  oAuthTokenConfig: v.strictObject({
    acceptedWarnings: v.exactOptional(acceptedWarnings),
    tokenGeneratorRef: reference('jwtBuilder or awsWebIdentity'),
    tokenSubject: v.exactOptional(
      v.pipe(text(), v.description('Always the sub of the assertion: the client id, or the user of a grant.')),
    ),
    claims: v.exactOptional(claims),
  }),
  authorizationServer: v.strictObject({
    tokenEndpoint: v.exactOptional(
      v.pipe(
        tokenEndpoint,
        v.description('The URL of the token endpoint. Its query is kept. Without it, issuer is required.'),
      ),
    ),
    issuer: v.exactOptional(
      v.pipe(
        text(),
        v.description(
          'The issuer identifier (RFC 8414). It is the default aud. Without tokenEndpoint, its metadata names the token endpoint.',
        ),
      ),
    ),
    tokenEndpointHosts: v.exactOptional(tokenEndpointHosts),
    sslCertsRef: v.exactOptional(reference('ssl')),
    basicAuthRef: v.exactOptional(reference('authData')),
    proxyConfigRef: v.exactOptional(reference('proxyConfig')),
    connectionTimeout: v.exactOptional(duration({ least: '1ms' })),
    receiveTimeout: v.exactOptional(duration({ least: '1ms' })),
    assumedLifetimeSeconds: v.exactOptional(seconds(1)),
    maximumLifetimeSeconds: v.exactOptional(seconds(1)),
    marginSeconds: v.exactOptional(seconds(0)),
    maximumConcurrency: v.exactOptional(wholeNumber(1, 1000)),
    coolDownSeconds: v.exactOptional(wholeNumber(1, 300)),
    tokenTypes: v.exactOptional(tokenTypes),
    scopeSeparator: v.exactOptional(scopeSeparator),
    headers: v.exactOptional(headers),
    parametersInQuery: v.exactOptional(parametersInQuery),
    allowLoopbackHttp: v.exactOptional(flag),
    acceptedWarnings: v.exactOptional(acceptedWarnings),
  }),
  jwtBuilder: v.strictObject({
    issuer: v.exactOptional(v.pipe(text(), v.description('The iss claim. Most servers require the client id.'))),
    audiences: v.exactOptional(oneOrMoreTexts('one text or a list of texts')),
    expiresInSeconds: v.exactOptional(duration({ least: '1s', resolutionMilliseconds: 1000 })),
    expiry: v.exactOptional(duration({ least: '1s', bareUnit: 'h', resolutionMilliseconds: 1000 })),
    nbfOffset: v.exactOptional(duration({ least: '0s', resolutionMilliseconds: 1000 })),
    issuedAtOffset: v.exactOptional(duration({ least: '-1h', resolutionMilliseconds: 1000 })),
    jti: v.exactOptional(flag),
    scope: v.exactOptional(text()),
    omit: v.exactOptional(omit),
    signatureAlgorithm: v.exactOptional(v.picklist(signatureAlgorithms, `one of ${signatureAlgorithms.join(', ')}`)),
    keyStoreRef: v.exactOptional(reference('keyStore')),
    keyAlias: v.exactOptional(text()),
    revokedKeys: v.exactOptional(oneOrMoreTexts('one text or a list of texts')),
    sharedKey: v.exactOptional(secretName('the key of an HS* algorithm')),
    typ: v.exactOptional(v.pipe(text(), v.description('The header typ. The value none leaves it out.'))),
    certificateThumbprint: v.exactOptional(v.picklist(['none', 'x5t#S256', 'x5t'], 'none, x5t#S256 or x5t')),
    x5c: v.exactOptional(v.pipe(flag, v.description('Whether the header has the certificate chain of the key.'))),
    header: v.exactOptional(header),
    jwkEnabled: v.exactOptional(flag),
    jwkSigningKeySize: v.exactOptional(oneOf([2048, 3072, 4096])),
    jwkRotationTime: v.exactOptional(duration({ least: '4h', bareUnit: 'm', resolutionMilliseconds: 3_600_000 })),
    publishAheadSeconds: v.exactOptional(seconds(0)),
    acceptedWarnings: v.exactOptional(acceptedWarnings),
  }),
  /** An identity token of AWS STS in place of a JWT that Tokenwell signs. */
  awsWebIdentity: v.strictObject({ ...webIdentity, acceptedWarnings: v.exactOptional(acceptedWarnings) }),
  keyStore: v.strictObject({
    location: keyLocation,
    kid: v.exactOptional(
      v.pipe(text(), v.description('The kid of a KMS key. The default is a digest of its public key.')),
    ),
    certificate: v.exactOptional(
      v.pipe(text(), v.description('The certificate of a KMS key and its chain, as PEM or as DER in base64.')),
    ),
  }),
  ssl: v.strictObject({
    keyStoreRef: v.exactOptional(reference('keyStore')),
    trustStoreRef: v.exactOptional(reference('keyStore')),
    sslProtocol: v.exactOptional(
      v.picklist(['TLSv1.2', 'TLSv1.3'], 'TLSv1.2 or TLSv1.3, the lowest version that is accepted'),
    ),
    allowPartialTrustChain: v.exactOptional(
      v.pipe(flag, v.description('Whether each certificate in the trust store is trusted without its issuer.')),
    ),
  }),
  /** There is only one. Its id is `default`. */
  sslDefault: v.strictObject({ sslRef: reference('ssl') }),
  /** A token of a server that has its own form of request and answer. */
  authToken: v.strictObject({
    authServerRef: reference('authorizationServer'),
    jwtAuthenticationTokenRef: v.exactOptional(reference('oAuthTokenConfig')),
    tokenRequest: v.exactOptional(tokenRequest),
    tokenResponse: v.exactOptional(tokenResponse),
    requestMay: v.exactOptional(requestMay),
    ...tokenUse,
    acceptedWarnings: v.exactOptional(acceptedWarnings),
  }),
  /** A token that Tokenwell signs for the API. */
  authTokenLocal: v.strictObject({
    tokenGeneratorRef: reference('jwtBuilder'),
    tokenSubject: v.exactOptional(v.pipe(text(), v.description('Always the sub of the token.'))),
    claims: v.exactOptional(claims),
    claimsFromRequest: v.exactOptional(claimsFromRequest),
    ...tokenUse,
    acceptedWarnings: v.exactOptional(acceptedWarnings),
  }),
  authData: v.strictObject({ user: text(), passwordSecret: secretName('the password') }),
  proxyConfig: v.strictObject({
    host: hostName,
    port: wholeNumber(1, 65_535),
    basicAuthRef: v.exactOptional(reference('authData')),
    /** Hosts that are reached without the proxy, in the form of `NO_PROXY`. */
    noProxy: v.exactOptional(noProxy),
  }),
}
