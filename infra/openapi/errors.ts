import { STATUS_CODES } from 'node:http'
import { toJsonSchema } from '@valibot/to-json-schema'
import { InvalidRequestError } from '../../lib/admission/invalid-request.ts'
import { apiCallErrorCodes, type ErrorCode, ownErrorCodes, TokenwellError } from '../../lib/base/tokenwell-error.ts'
import { CoolingDownError } from '../../lib/get-token/token-error.ts'
import { errorBodySchema } from '../../lib/http-interface/answers.ts'
import { errorAnswer } from '../../lib/http-interface/error-answer.ts'
import {
  RefusedError,
  TimedOutError,
  UnreachableError,
  UnreadableAnswerError,
} from '../../lib/token-endpoint/token-endpoint-error.ts'
import type { Route } from '../stack/function-table.ts'

/* The errors of the HTTP API: their statuses and codes, as the function that answers errors gives them. */

class ExampleError extends TokenwellError {
  readonly code: ErrorCode

  constructor(code: ErrorCode) {
    super('An example.')
    this.code = code
  }
}

/** One error for each status and public code that this code can lead to. */
function examplesOf(code: ErrorCode): readonly TokenwellError[] {
  switch (code) {
    case 'invalid_request':
      return (['invalid_request', 'unsupported_grant_type'] as const).map(
        (error) => new InvalidRequestError('a parameter', 'is an example.', error),
      )
    case 'refused':
      return (['caller', 'elements', 'client'] as const).map((fault) => new RefusedError('', ofServer, fault))
    default:
      return [new ExampleError(code)]
  }
}

/** Replaces a code that the authorization server chooses. */
const ofServer = '(of the authorization server)'

const unexpectedStatus = errorAnswer(undefined).status

export function statusesOf(errors: readonly TokenwellError[]): readonly number[] {
  return [...errors.map((error) => errorAnswer(error).status), unexpectedStatus]
}

export function errorStatuses(): readonly number[] {
  const all = errorsOf([...ownErrorCodes.filter((code) => !ofBackground.includes(code)), ...apiCallErrorCodes])
  return [...new Set(statusesOf(all))].sort()
}

/** The name of a schema, such as `BadRequest`. */
export function schemaName(status: number): string {
  return (STATUS_CODES[status] ?? '').replaceAll(/[^A-Za-z]/g, '')
}

/** The body of Tokenwell's own errors with that status. */
export function errorSchema(status: number): object {
  const all = errorsOf([...ownErrorCodes, ...apiCallErrorCodes])
  const answers = [...all.map(errorAnswer), errorAnswer(undefined)].filter((answer) => answer.status === status)
  const codes = [...new Set(answers.map(({ error }) => error))].sort()
  const { properties, ...schema } = schemaOf(errorBodySchema) as { readonly properties: object }
  const error = codes.includes(ofServer)
    ? {
        type: 'string',
        description: 'The code of the error, which may be one of the authorization server.',
        examples: codes.filter((code) => code !== ofServer),
      }
    : { type: 'string', enum: codes, description: 'The code of the error.' }
  return { ...schema, properties: { ...properties, error } }
}

/** The errors of an operation by their codes. */
export function errorsOf(codes: readonly ErrorCode[]): readonly TokenwellError[] {
  return codes.flatMap(examplesOf)
}

/** The codes of functions that no caller waits for. */
const ofBackground: readonly ErrorCode[] = [
  'dead_letters',
  'event_bus',
  'record_store',
  'rotation_given_up',
  'rotation_refused',
  'unreadable_event',
]
/** The codes that only an API call can end in, beside those of RFC 9209. */
export const ofCalls: readonly ErrorCode[] = ['request_too_large', 'unsupported_media_type']

/** The codes that a request for a token can end in. */
export const ofEveryToken = ownErrorCodes.filter(
  (code) => ![...ofBackground, ...ofCalls, 'unknown_route'].includes(code),
)

/** A cool-down repeats the failure that it began with, and says how long it lasts. */
const retryStatuses: readonly number[] = [
  ...(['caller', 'elements', 'client'] as const).map((fault) => new RefusedError('', 'x', fault)),
  new UnreachableError(''),
  new TimedOutError(''),
  new UnreadableAnswerError(''),
].map((failure) => errorAnswer(CoolingDownError.after(failure, 30)).status)

/** The origins of an answer with an error status. Where Tokenwell is a proxy, it can also be the API's. */
export interface FailureSource {
  readonly isOwn: boolean
  readonly isGateways: boolean
  readonly isProxy: boolean
}

/** Such as `BadRequestOfTokenwell`: one for each status and source. */
export function failureName(status: number, { isOwn, isGateways, isProxy }: FailureSource): string {
  const whose = [isOwn && 'Tokenwell', isGateways && 'Gateway', isProxy && 'Api'].filter(Boolean)
  return `${schemaName(status)}Of${whose.join('Or')}`
}

export function failureResponse(status: number, { isOwn, isGateways, isProxy }: FailureSource): object {
  const schemas = [...(isOwn ? [refTo(schemaName(status))] : []), ...(isGateways ? [refTo('GatewayAnswer')] : [])]
  const headers = {
    ...(isOwn && retryStatuses.includes(status) && { 'Retry-After': { $ref: '#/components/headers/RetryAfter' } }),
    ...(isOwn && isProxy && { 'Proxy-Status': { $ref: '#/components/headers/ProxyStatus' } }),
  }
  const whose = isOwn
    ? isGateways
      ? 'An error of Tokenwell or API Gateway.'
      : 'An error of Tokenwell.'
    : 'An error of API Gateway.'
  return {
    description: `${STATUS_CODES[status]}. ${isProxy ? `${whose} An API may answer the same status with any body.` : whose}`,
    ...(Object.keys(headers).length > 0 && { headers }),
    content: { 'application/json': { schema: schemas.length === 1 ? schemas[0] : { anyOf: schemas } } },
  }
}

export const gatewayAnswer = {
  type: 'object',
  description: 'What API Gateway answers by itself.',
  properties: { message: { type: 'string' } },
  required: ['message'],
}

/** A public route needs no authorization. */
export function gatewayStatusesOf({ whyPublic }: Route): readonly number[] {
  return [...(whyPublic === undefined ? [401, 403] : []), 404, 413, 429, 500, 503]
}

export function schemaOf(schema: Parameters<typeof toJsonSchema>[0]): object {
  const { $schema: _, ...written } = toJsonSchema(schema, { target: 'draft-2020-12', ignoreActions: ['readonly'] })
  return written
}

export function refTo(name: string): object {
  return { $ref: `#/components/schemas/${name}` }
}
