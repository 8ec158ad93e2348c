import { tokenIdForm } from '../../lib/access-token/token.ts'
import { clientParameters, type grantParameters, type queryParameters } from '../../lib/admission/parameter-names.ts'
import type { callMethods } from '../../lib/api-call/api-endpoint.ts'
import { apiCallErrorCodes, type TokenwellError } from '../../lib/base/tokenwell-error.ts'
import { elementIdForm } from '../../lib/configuration/value-syntax.ts'
import type { Route } from '../stack/function-table.ts'
import { errorsOf, ofCalls, ofEveryToken, refTo } from './errors.ts'

/* The parameters and answers of each route. */

export interface Operation {
  readonly operationId: string
  readonly summary: string
  readonly parameters: readonly object[]
  readonly requestBody?: object
  /** By status, where nothing fails. */
  readonly answers: Readonly<Record<string, object>>
  /** The errors that it can end in, except for an unexpected error: that is a 500 of every operation. */
  readonly errors: readonly TokenwellError[]
  /** Whether its errors have the header `Proxy-Status`. */
  readonly isProxy?: boolean
}

export type Method = Lowercase<(typeof callMethods)[number]>

/** @throws {Error} for a route without a description here */
export function operationOf({ path }: Route, method: Method): Operation {
  switch (`${method} ${path}`) {
    case 'post /connections/{connection}/token':
      return issueToken
    case 'post /connections/{connection}/as/{subject}/token':
      return issueTokenForUser
    case 'delete /connections/{connection}/token':
      return rejectToken
    case 'get /connections':
      return listConnections
    case 'get /jwt/{jwtBuilder}/jwk':
      return showKeys
    case 'get /.well-known/oauth-authorization-server/connections/{connection}':
      return describeServer
    case 'get /connections/{connection}/.well-known/openid-configuration':
      return describeProvider
    case 'get /connections/{connection}/.well-known/jwks.json':
      return showNoKeys
  }
  if (path === '/connections/{connection}/api/{path+}') return callApi(method)
  throw new Error(`infra/openapi/operations.ts does not describe ${method} ${path}. Add the operation there.`)
}

const elementId = { type: 'string', pattern: elementIdForm.source }
const tokenId = { type: 'string', pattern: tokenIdForm.source }
const connectionParameter = {
  name: 'connection',
  in: 'path',
  required: true,
  description: 'The id of an endpointConnection.',
  schema: elementId,
}

const queryDescriptions: Readonly<Record<(typeof queryParameters)[number], object>> = {
  authentication: {
    description: 'The id of the element whose token is wanted, for a connection with several tokens.',
    schema: elementId,
  },
  minimum_seconds: {
    description: 'How many seconds the token must still live.',
    schema: { type: 'integer', minimum: 0, maximum: 999_999_999 },
  },
  rejected_token_id: {
    description: 'The token_id of a token that an API rejected. The answer has another token.',
    schema: tokenId,
  },
}

const issueToken: Operation = {
  operationId: 'issueToken',
  summary: 'Returns a token of the connection',
  parameters: [
    connectionParameter,
    ...Object.entries(queryDescriptions).map(([name, described]) => ({ name, in: 'query', ...described })),
  ],
  requestBody: {
    required: false,
    description: 'A token request (RFC 6749 section 4) of at most 64 KiB.',
    content: {
      'application/x-www-form-urlencoded': { schema: refTo('TokenRequestForm') },
      'application/json': { schema: refTo('TokenRequestJson') },
    },
  },
  answers: {
    200: {
      description: 'A token.',
      headers: { 'Tokenwell-Ignored': { $ref: '#/components/headers/TokenwellIgnored' } },
      content: { 'application/json': { schema: refTo('TokenAnswer') } },
    },
  },
  errors: errorsOf(ofEveryToken),
}

const issueTokenForUser: Operation = {
  ...issueToken,
  operationId: 'issueTokenForUser',
  summary: 'Returns a token of the connection for a user',
  parameters: [
    connectionParameter,
    {
      name: 'subject',
      in: 'path',
      required: true,
      description: 'The user: letters, digits, @ . _ and -, or ~ and the base64url of the UTF-8 of any other text.',
      schema: { type: 'string', pattern: '^([A-Za-z0-9@._-]+|~[A-Za-z0-9_-]+)$' },
    },
    ...issueToken.parameters.slice(1),
  ],
}

const rejectToken: Operation = {
  operationId: 'rejectToken',
  summary: 'Has a token replaced that an API rejected',
  parameters: [
    connectionParameter,
    {
      name: 'token_id',
      in: 'query',
      required: true,
      description: 'The token_id of the token.',
      schema: tokenId,
    },
  ],
  answers: { 204: { description: 'The token was dropped, is gone already, or is so young that it stays.' } },
  errors: errorsOf(['invalid_request', 'access_denied', 'certificate_missing']),
}

const listConnections: Operation = {
  operationId: 'listConnections',
  summary: 'Lists connections with their mistakes and warnings',
  parameters: [],
  answers: {
    200: {
      description: 'The connections. Behind a JWT authorizer, and with a client certificate, those of the caller.',
      content: { 'application/json': { schema: refTo('Connections') } },
    },
  },
  errors: errorsOf(['certificate_missing', 'elements_denied', 'elements_throttled', 'elements_unreachable']),
}

const showKeys: Operation = {
  operationId: 'showKeys',
  summary: 'Returns the public keys of a jwtBuilder',
  parameters: [
    {
      name: 'jwtBuilder',
      in: 'path',
      required: true,
      description: 'The id of a jwtBuilder.',
      schema: elementId,
    },
    {
      name: 'If-None-Match',
      in: 'header',
      description: 'The ETag of the key set that the caller has.',
      schema: { type: 'string' },
    },
  ],
  answers: {
    200: {
      description: 'The keys. The set is empty where all keys were withdrawn.',
      headers: { ETag: { schema: { type: 'string' } }, 'Cache-Control': { schema: { type: 'string' } } },
      content: {
        'application/json': { schema: refTo('KeySet') },
        'application/jwk-set+json': { schema: refTo('KeySet') },
      },
    },
    304: { description: 'The key set that the caller has is current.' },
  },
  errors: errorsOf(['invalid_request', 'unknown_route', 'cache', 'publication_key']),
}

const describeServer = describeConnection(
  'describeServer',
  'Describes the connection as a token endpoint (RFC 8414)',
  'ServerMetadata',
)
const describeProvider = describeConnection(
  'describeProvider',
  'Describes the connection as a token endpoint (OpenID Connect Discovery)',
  'OpenidMetadata',
)
const showNoKeys = describeConnection('showNoKeys', 'The keys of ID tokens: always an empty set', 'KeySet')

/** With `publicDiscovery`, these routes need no authorization. */
function describeConnection(operationId: string, summary: string, schema: string): Operation {
  return {
    operationId,
    summary,
    parameters: [connectionParameter],
    answers: {
      200: {
        description: 'The same for every connection where the property publicDiscovery is set.',
        headers: { 'Cache-Control': { schema: { type: 'string' } } },
        content: { 'application/json': { schema: refTo(schema) } },
      },
    },
    errors: errorsOf([
      ...(['invalid_request', 'access_denied', 'certificate_missing', 'unknown_connection'] as const),
      ...(['connection_disabled', 'configuration'] as const),
      ...(['elements_denied', 'elements_throttled', 'elements_unreachable'] as const),
    ]),
  }
}

function callApi(method: Method): Operation {
  const hasBody = ['post', 'put', 'patch'].includes(method)
  return {
    operationId: `${method}Api`,
    summary: `Makes a ${method.toUpperCase()} call of the connection's API`,
    parameters: [
      connectionParameter,
      {
        name: 'path',
        in: 'path',
        required: true,
        description: 'The path below the base path of the API. It may have several segments.',
        schema: { type: 'string' },
      },
    ],
    ...(hasBody && {
      requestBody: { required: false, content: { '*/*': { schema: {} } } },
    }),
    answers: { default: { description: 'What the API answers, with any status.', content: { '*/*': { schema: {} } } } },
    errors: errorsOf([...ofEveryToken, ...ofCalls, ...apiCallErrorCodes]),
    isProxy: true,
  }
}

type GrantParameter = (typeof grantParameters)[number]

const callersToken = (description: string) => ({ type: 'string', format: 'password', description })
const listOfTexts = { type: 'array', items: { type: 'string' } }

/** The parameters of every token request. The elements can allow more by `requestMay`. */
export function tokenRequestSchema(form: 'form' | 'json'): object {
  const scope = form === 'form' ? { type: 'string' } : { anyOf: [{ type: 'string' }, listOfTexts] }
  const resource = form === 'form' ? listOfTexts : { anyOf: [{ type: 'string' }, listOfTexts] }
  const properties: Readonly<Record<GrantParameter, object>> = {
    grant_type: {
      type: 'string',
      description: 'What the request sends: client_credentials, password or token-exchange. It may always be left out.',
    },
    scope: { ...scope, description: 'Scopes, separated by spaces.' },
    resource: { ...resource, description: 'Absolute URIs (RFC 8707).' },
    audience: { type: 'string', description: 'The audience of the token.' },
    username: { type: 'string', description: 'Only for a connection that takes a user and a password.' },
    password: {
      type: 'string',
      format: 'password',
      description: 'Only for a connection that takes a user and a password.',
    },
    subject_token: callersToken('Required where the grant is token-exchange and Tokenwell does not make the token.'),
    subject_token_type: { type: 'string', format: 'uri', description: 'The type of that token (RFC 8693 section 3).' },
    actor_token: callersToken('The token of the acting party, where requestMay lists it.'),
    actor_token_type: { type: 'string', format: 'uri', description: 'The type of that token.' },
  }
  const ignored = 'Ignored: Tokenwell authenticates the client.'
  const dropped = clientParameters.map((name) => [name, { type: 'string', description: ignored, deprecated: true }])
  return {
    type: 'object',
    description:
      'What a request adds to the elements of the connection, or narrows. Further parameters are those that requestMay lists, and claim.<name> for each claim of claimsFromRequest.',
    properties: {
      ...properties,
      authorization_details: {
        ...(form === 'form' ? { type: 'string' } : { type: 'array', items: { type: 'object' } }),
        description: 'What the elements set or requestMay lists, as JSON (RFC 9396).',
      },
      ...Object.fromEntries(dropped),
    },
  }
}
