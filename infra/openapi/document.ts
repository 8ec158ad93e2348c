import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { callMethods } from '../../lib/api-call/api-endpoint.ts'
import {
  connectionsSchema,
  keySetSchema,
  openidMetadataSchema,
  serverMetadataSchema,
  tokenAnswerSchema,
} from '../../lib/http-interface/answers.ts'
import { functionIds, functionTable, type Route } from '../stack/function-table.ts'
import {
  errorSchema,
  errorStatuses,
  failureName,
  failureResponse,
  gatewayAnswer,
  gatewayStatusesOf,
  schemaName,
  schemaOf,
  statusesOf,
} from './errors.ts'
import { type Method, operationOf, tokenRequestSchema } from './operations.ts'

/*
 * The OpenAPI document of the HTTP API. Routes, methods and public access come from the function table, answers from their schemas,
 * statuses and error codes from the function that answers errors. Only the descriptions are written in this folder.
 */

/** OpenAPI 3.1. Two calls give the same document. */
export function createOpenapi(): object {
  const responses = new Map<string, object>()
  const paths = createPaths(responses)
  return {
    openapi: '3.1.1',
    info: {
      title: 'Tokenwell',
      version: packageVersion(),
      summary: 'OAuth 2.0 access tokens by connection',
      description: 'The HTTP API of one stage. functions/README.md describes each route.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [
      {
        url: '{publicUrl}',
        description: 'Stage',
        variables: {
          publicUrl: { default: 'http://127.0.0.1:8787', description: 'The URL where callers reach the stage.' },
        },
      },
    ],
    security: [{ iam: [] }, { jwt: [] }],
    paths,
    components: {
      schemas: {
        TokenAnswer: schemaOf(tokenAnswerSchema),
        Connections: schemaOf(connectionsSchema),
        KeySet: schemaOf(keySetSchema),
        ServerMetadata: schemaOf(serverMetadataSchema),
        OpenidMetadata: schemaOf(openidMetadataSchema),
        TokenRequestForm: tokenRequestSchema('form'),
        TokenRequestJson: tokenRequestSchema('json'),
        GatewayAnswer: gatewayAnswer,
        ...Object.fromEntries(errorStatuses().map((status) => [schemaName(status), errorSchema(status)])),
      },
      responses: Object.fromEntries([...responses].sort(([a], [b]) => (a < b ? -1 : 1))),
      headers: { RetryAfter: retryAfter, ProxyStatus: proxyStatus, TokenwellIgnored: tokenwellIgnored },
      securitySchemes: {
        iam: {
          type: 'apiKey',
          in: 'header',
          name: 'Authorization',
          description: 'AWS Signature Version 4 for the service execute-api, unless the stage has a JWT authorizer.',
          'x-amazon-apigateway-authtype': 'awsSigv4',
        },
        jwt: {
          type: 'http',
          scheme: 'bearer',
          bearerFormat: 'JWT',
          description: 'Where the stage has a JWT authorizer. A claim lists the connections of the caller.',
        },
      },
    },
  }
}

function packageVersion(): string {
  const text = readFileSync(join(import.meta.dirname, '..', '..', 'package.json'), 'utf8')
  return (JSON.parse(text) as { readonly version: string }).version
}

/** @param responses receives the responses that the paths refer to, by name */
function createPaths(responses: Map<string, object>): Readonly<Record<string, object>> {
  const paths = new Map<string, Record<string, object>>()
  for (const id of functionIds)
    for (const route of functionTable[id].routes as readonly Route[]) {
      // A parameter of OpenAPI is one segment.
      const path = route.path.replace('+}', '}')
      for (const method of methodsOf(route))
        paths.set(path, { ...paths.get(path), [method]: describeRoute(route, method, responses) })
    }
  return Object.fromEntries(paths)
}

function methodsOf({ methods }: Route): readonly Method[] {
  const named = methods.flatMap((method) => (method === 'ANY' ? callMethods : [method]))
  return named.map((method) => method.toLowerCase() as Method)
}

function describeRoute(route: Route, method: Method, responses: Map<string, object>): object {
  const { operationId, summary, parameters, requestBody, answers, errors, isProxy = false } = operationOf(route, method)
  const [own, gateways] = [statusesOf(errors), gatewayStatusesOf(route)]
  const failures = [...new Set([...own, ...gateways])].sort().map((status) => {
    const source = { isOwn: own.includes(status), isGateways: gateways.includes(status), isProxy }
    const name = failureName(status, source)
    responses.set(name, failureResponse(status, source))
    return [status, { $ref: `#/components/responses/${name}` }] as const
  })
  return {
    operationId,
    summary,
    ...(route.whyPublic !== undefined && { security: [] }),
    parameters,
    ...(requestBody && { requestBody }),
    responses: { ...answers, ...Object.fromEntries(failures) },
  }
}

const retryAfter = {
  description: 'How many seconds to wait before another try.',
  schema: { type: 'integer', minimum: 0 },
}
const proxyStatus = {
  description: "Tells Tokenwell's own error from an answer of the API (RFC 9209).",
  schema: { type: 'string', pattern: '^tokenwell; error=' },
}
const tokenwellIgnored = {
  description: 'The names of the parameters that had no effect, separated by commas, 20 at most.',
  schema: { type: 'string' },
}
