import * as v from 'valibot'
import { readDuration } from '../configuration/duration.ts'
import { isElementId } from '../configuration/element.ts'
import { isResourceIndicator } from '../token-endpoint/resource-indicator.ts'
import { isScopeToken } from '../token-endpoint/scope.ts'
import { readStrictJson } from './strict-json.ts'

/*
 * What the values of attributes look like in a file or parameter, and what they become once read. Each message completes
 * "<attribute> must be …".
 */

export const text = (message = 'a text that is not empty') =>
  v.pipe(v.string(message), v.trim(), v.minLength(1, message), v.maxLength(4096, 'a text of at most 4096 characters'))

/** The id of another element; one, not several. */
export function reference(kind: string) {
  const message = `the id of one element of the kind ${kind}`
  return v.pipe(
    text(message),
    v.check(isElementId, message),
    v.description(`The id of an element of the kind ${kind}.`),
  )
}

export const flag = v.pipe(
  v.union([v.boolean(), v.picklist(['true', 'false'])], 'true or false'),
  v.transform((value) => value === true || value === 'true'),
)

export function wholeNumber(minimum: number, maximum: number) {
  const message = `a whole number from ${minimum} to ${maximum}`
  return v.pipe(
    v.union([v.number(), v.pipe(v.string(), v.regex(/^\d{1,15}$/))], message),
    v.transform(Number),
    v.integer(message),
    v.minValue(minimum, message),
    v.maxValue(maximum, message),
  )
}

export const seconds = (minimum: number) => wholeNumber(minimum, 365 * 86_400)

/** In the original's notation; milliseconds once read. */
export function duration({ least, bareUnit = 's' }: { least: string; bareUnit?: 'h' | 's' }) {
  const message = `a duration such as 30s, 1m30s or 2h, at least ${least}`
  return v.pipe(
    v.union([v.string(), v.pipe(v.number(), v.integer())], message),
    v.transform((value) => readDuration(String(value), bareUnit) ?? Number.NaN),
    v.number(message),
    v.minValue(readDuration(least) ?? 0, message),
    v.maxValue(365 * 86_400_000, message),
  )
}

/** One text, or a list of them. */
export function texts(message: string) {
  return v.pipe(
    v.union([text(message), v.pipe(v.array(text(message)), v.minLength(1))], message),
    v.transform((value) => [...new Set([value].flat())]),
  )
}

export const scope = v.pipe(
  v.union([v.string(), v.array(v.string())], 'scopes, separated by blanks or in a list'),
  v.transform((value) => [...new Set([value].flat().flatMap((part) => part.split(' ')))].filter(Boolean)),
  v.check((scopes) => scopes.every(isScopeToken), 'scopes by RFC 6749 section 3.3: printable ASCII without " and \\'),
)

export const resource = v.pipe(
  texts('one or more absolute URIs'),
  v.check((resources) => resources.every(isResourceIndicator), 'absolute URIs without a fragment (RFC 8707 section 2)'),
)

const url = (message: string) => v.pipe(text(message), v.check(URL.canParse, message))

export const tokenEndpoint = v.pipe(
  url('a URL such as https://as.example.com/token'),
  v.check((value) => !value.includes('#'), 'a URL without a fragment (RFC 6749 section 3.2)'),
  v.check(
    (value) => new URL(value).username === '' && new URL(value).password === '',
    'a URL without user and password',
  ),
  v.check((value) => ['https:', 'http:'].includes(new URL(value).protocol), 'a URL that begins with https://'),
)

export const host = v.pipe(
  url('scheme and host, such as https://api.example.com'),
  v.check(
    (value) =>
      ['https:', 'http:'].includes(new URL(value).protocol) && new URL(value).pathname === '/' && !/[?#@]/.test(value),
    'scheme and host alone, such as https://api.example.com: port and domainBasePath have their own attributes',
  ),
)

const byRequest = 'is set by each request'
const reservedParameters: Readonly<Record<string, string>> = {
  grant_type: 'is set by grantType',
  client_id: 'is set by jwtAuthenticationSetClientId',
  client_assertion: 'is made for each request',
  client_assertion_type: 'is made for each request',
  client_secret: 'must never stand in an element',
  scope: 'has an attribute of its own',
  resource: 'has an attribute of its own',
  audience: 'has an attribute of its own',
  username: byRequest,
  password: byRequest,
}

export const parameters = v.pipe(
  v.record(v.string(), v.string(), 'an object of texts'),
  v.rawCheck(({ dataset, addIssue }) => {
    if (!dataset.typed) return
    for (const name of Object.keys(dataset.value))
      if (Object.hasOwn(reservedParameters, name))
        addIssue({ message: `an object without ${name}, which ${reservedParameters[name]}` })
  }),
)

const neverByRequest = [
  'grant_type',
  'client_id',
  'client_assertion',
  'client_assertion_type',
  'client_secret',
  'password',
]
export const requestMay = v.pipe(
  v.record(
    v.string(),
    v.union([v.literal(true), v.array(v.string())]),
    'an object that gives each parameter true or a list of values',
  ),
  v.check(
    (value) => neverByRequest.every((name) => !(name in value)),
    `an object without ${neverByRequest.join(', ')}: a request can't set those`,
  ),
)

const claimsMessage = 'an object of claims, or a text that holds one as JSON'
export const claims = v.pipe(
  v.union([v.record(v.string(), v.unknown()), v.string()], claimsMessage),
  v.transform((value) => (typeof value === 'string' ? parseObject(value) : value)),
  v.record(v.string(), v.unknown(), claimsMessage),
  v.rawCheck(({ dataset, addIssue }) => {
    if (!dataset.typed) return
    for (const [name, isRight, message] of claimRules)
      if (name in dataset.value && !isRight(dataset.value[name]))
        addIssue({ message: `claims whose ${name} is ${message}` })
    for (const [name, value] of Object.entries(dataset.value))
      if (value === null) addIssue({ message: `claims without null: ${name} has no value` })
  }),
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

/** A name that stands twice would lose one of its values. */
function parseObject(json: string): unknown {
  const read = readStrictJson(json)
  return 'value' in read ? read.value : undefined
}

export const secretName = (what: string) =>
  v.pipe(
    text('the name of a secret'),
    v.description(`The name of the secret that holds ${what}, under tokenwell/<stage>/.`),
  )
