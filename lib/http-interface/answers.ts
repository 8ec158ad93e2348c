import * as v from 'valibot'

/*
 * The JSON bodies of the HTTP API. Functions take their types from here, and `npm run openapi` writes the schemas into
 * functions/openapi.json. Functions import only the types, so no bundle holds this file.
 */

const text = (description: string) => v.pipe(v.string(), v.description(description))
const texts = (description: string) => v.pipe(v.array(v.string()), v.readonly(), v.description(description))
const flag = (description: string) => v.pipe(v.boolean(), v.description(description))
const time = (description: string) => v.pipe(v.string(), v.isoTimestamp(), v.description(description))

/** RFC 6749 section 5.1, with the id and the source of the token. Further members are those that the elements pass on. */
export const tokenAnswerSchema = v.pipe(
  v.looseObject({
    access_token: text('The token.'),
    token_type: v.literal('Bearer'),
    expires_in: v.pipe(v.number(), v.integer(), v.description('Whole seconds that the token still lives.')),
    scope: v.exactOptional(text('What the authorization server granted, or what it was asked for.')),
    issued_token_type: v.exactOptional(text('The type of a token from a token exchange (RFC 8693 section 2.2.1).')),
    token_id: text('Names the token to Tokenwell. It is no credential.'),
    source: v.pipe(v.picklist(['server', 'cache', 'memory']), v.description('Where this instance found the token.')),
  }),
  v.description(
    "A token. Any other member is one of the authorization server's answer that passOn of the elements names: a text, a number or a boolean.",
  ),
)

/** RFC 6749 section 5.2, with the request id that finds the reason in the log. */
export const errorBodySchema = v.object({
  error: text('The code of the error.'),
  error_description: text('What happened, in printable ASCII without quotation mark and backslash.'),
  request_id: text("Finds the request in Tokenwell's log."),
})

/** What the elements say about a token. */
const tokenMembers = {
  grant_type: v.exactOptional(
    text('The grant type of its token requests, or the kind of the element of another token.'),
  ),
  client_id: v.exactOptional(text('The client id at the authorization server.')),
  client_authentication: v.exactOptional(text('The authentication method of the client.')),
  token_endpoint: v.exactOptional(
    text("The authorization server's token endpoint. Absent where the metadata of the issuer names it."),
  ),
  issuer: v.exactOptional(text("The authorization server's issuer.")),
  scope: v.exactOptional(text('The scope that its elements set.')),
  resource: v.exactOptional(texts('The resources that its elements set.')),
  audience: v.exactOptional(text('The audience that its elements set.')),
  credentials_from: v.exactOptional(
    text('It is caller if each request must have username and password. Otherwise it is absent.'),
  ),
  claims_from_request: v.exactOptional(texts('The claims that each request sets, without their values.')),
  warm: v.exactOptional(flag('Whether warm-tokens renews its tokens.')),
}

const carriedTokenSchema = v.object({
  authentication: text('The id of its element. The parameter authentication of a token request names it.'),
  kind: v.pipe(v.string(), v.description('The kind of its element: oAuthConfig, authToken or authTokenLocal.')),
  header: text('The header of API calls that carries it, in lower case.'),
  scheme: text('What comes before it in that header: Bearer, or nothing.'),
  ...tokenMembers,
})

/** A connection in the answer of `GET /connections`: no secret, and no name of a secret. */
export const connectionSchema = v.object({
  connection: text("The connection's name."),
  usable: flag('Whether its elements have no mistake and it is not disabled.'),
  disabled: v.exactOptional(flag('Whether the operator has disabled it.')),
  api: v.exactOptional(text('Host and base path of its API.')),
  api_hosts: v.exactOptional(texts('The hosts of its API that token answers may name (hostFrom).')),
  basic_authentication: v.exactOptional(
    text('The id of the authData whose user and password authenticate its API calls.'),
  ),
  ...tokenMembers,
  tokens: v.exactOptional(
    v.pipe(
      v.array(carriedTokenSchema),
      v.readonly(),
      v.description(
        'The tokens of its API calls, the main one first. The members beside this list are those of the main one.',
      ),
    ),
  ),
  clock_offset_seconds: v.exactOptional(
    v.pipe(v.number(), v.integer(), v.description("How far the authorization server's clock is ahead.")),
  ),
  mistakes: texts('What is wrong with its elements.'),
  warnings: texts(
    'What may be wrong with its elements, and which secrets and certificates expire soon or have expired.',
  ),
  last_obtained_at: v.exactOptional(time('When this instance last obtained a token.')),
  last_failed_at: v.exactOptional(time('When a token request of this instance last failed.')),
  last_failure: v.exactOptional(text('The error code of that failure.')),
})

export const connectionsSchema = v.object({
  mistakes: v.exactOptional(texts('What is wrong with the elements as a whole.')),
  connections: v.pipe(v.array(connectionSchema), v.readonly()),
})

/** RFC 7517 section 5. */
export const keySetSchema = v.object({
  keys: v.pipe(
    v.array(
      v.object({
        kty: text('The family of the key: RSA, EC or OKP.'),
        kid: text('The id of the key.'),
        use: v.exactOptional(v.literal('sig')),
        alg: v.exactOptional(text('The signature algorithm.')),
        n: v.exactOptional(text('RSA: the modulus.')),
        e: v.exactOptional(text('RSA: the exponent.')),
        crv: v.exactOptional(text('EC, OKP: the curve.')),
        x: v.exactOptional(text('EC, OKP: the x coordinate, or the key.')),
        y: v.exactOptional(text('EC: the y coordinate.')),
        x5c: v.exactOptional(texts('The certificate chain of the key, DER in base64.')),
      }),
    ),
    v.readonly(),
  ),
})

/** RFC 8414 section 2. */
export const serverMetadataSchema = v.object({
  issuer: text('The URL that the client has asked, up to the name of the connection.'),
  token_endpoint: text('The token endpoint of the connection.'),
  token_endpoint_auth_methods_supported: texts(
    'none, because API Gateway authorizes the request, or tls_client_auth at the domain for client certificates.',
  ),
  grant_types_supported: texts('What a token request of the connection names as its grant_type.'),
  response_types_supported: texts('Always empty: there is no authorization endpoint.'),
  scopes_supported: v.exactOptional(
    texts('The scopes that a request may ask for. Absent where a request may ask for others too.'),
  ),
})

/** OpenID Connect Discovery 1.0 section 3, without what needs an authorization endpoint. */
export const openidMetadataSchema = v.object({
  ...serverMetadataSchema.entries,
  jwks_uri: text('An empty key set, because Tokenwell issues no ID tokens.'),
  subject_types_supported: texts('Always public. It has no meaning without ID tokens.'),
  id_token_signing_alg_values_supported: texts('Always empty: Tokenwell issues no ID tokens.'),
})

export type TokenAnswer = v.InferOutput<typeof tokenAnswerSchema>
export type ErrorBody = v.InferOutput<typeof errorBodySchema>
export type ConnectionAnswer = v.InferOutput<typeof connectionSchema>
export type ConnectionsAnswer = v.InferOutput<typeof connectionsSchema>
export type KeySetAnswer = v.InferOutput<typeof keySetSchema>
export type ServerMetadata = v.InferOutput<typeof serverMetadataSchema>
export type OpenidMetadata = v.InferOutput<typeof openidMetadataSchema>
