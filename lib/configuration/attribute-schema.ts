import * as v from 'valibot'
import { isJsonObject, type JsonObject } from '../base/decoding.ts'
import { isNoProxyRule } from './no-proxy.ts'
import {
  foldedParameterName,
  isBasePath,
  isElementId,
  isHostName,
  isParameterName,
  isResourceIndicator,
  isScopeToken,
  isTokenType,
  isWebUrl,
  readDuration,
} from './value-syntax.ts'

/*
 * What the values of attributes look like in a file or parameter, and what they become once read. Each message completes
 * "<attribute> must be …" and says all that there is to say: valibot's own would show the value.
 */

export const text = (message = 'a text that is not empty, of at most 4096 characters') =>
  v.pipe(v.string(message), v.trim(), v.minLength(1, message), v.maxLength(4096, message))

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
    v.union([v.number(), v.pipe(v.string(), v.regex(/^\d{1,15}$/, message))], message),
    v.transform(Number),
    v.integer(message),
    v.minValue(minimum, message),
    v.maxValue(maximum, message),
  )
}

export const seconds = (minimum: number) => wholeNumber(minimum, 365 * 86_400)

/** One of these numbers, or its digits. */
export function oneOf<const Values extends readonly number[]>(values: Values) {
  const message = `one of ${values.join(', ')}`
  return v.pipe(v.union([v.number(), v.string()], message), v.transform(Number), v.picklist(values, message))
}

const longestDuration = '8760h'

interface DurationRange {
  readonly least: string
  readonly most?: string
  /** What a bare number counts. */
  readonly bareUnit?: 'h' | 'm' | 's'
  /** The smallest difference that the attribute knows. */
  readonly resolutionMilliseconds?: keyof typeof durationForms
}

const durationForms = {
  1: 'a duration such as 30s, 1m30s or 2h',
  1000: 'a duration of whole seconds such as 30s, 1m30s or 2h',
  3600000: 'a duration of whole hours such as 12h or 720h',
} as const

/** In the original's notation; milliseconds once read. */
export function duration({ least, most, bareUnit = 's', resolutionMilliseconds = 1 }: DurationRange) {
  const message = `${durationForms[resolutionMilliseconds]}, at least ${least}${most ? ` and at most ${most}` : ''}`
  return v.pipe(
    v.union([v.string(), v.number()], message),
    v.transform((value) => readDuration(String(value), bareUnit) ?? Number.NaN),
    v.number(message),
    v.minValue(readDuration(least) ?? 0, message),
    v.maxValue(readDuration(most ?? longestDuration) ?? 0, message),
    v.check((milliseconds) => milliseconds % resolutionMilliseconds === 0, message),
  )
}

/** One text, or a list of them. */
export function oneOrMoreTexts(message: string) {
  return v.pipe(
    v.union([text(message), v.pipe(v.array(text(message), message), v.minLength(1, message))], message),
    v.transform((value): readonly string[] => [...new Set([value].flat())]),
  )
}

const scopeMessage = 'scopes, separated by blanks or in a list: printable ASCII without " and \\ (RFC 6749 section 3.3)'
export const scope = v.pipe(
  v.union([v.string(), v.array(v.string(scopeMessage))], scopeMessage),
  v.transform((value): readonly string[] =>
    [...new Set([value].flat().flatMap((part) => part.split(' ')))].filter(Boolean),
  ),
  v.check((scopes) => scopes.every(isScopeToken), scopeMessage),
)

const resourceMessage = 'one or more absolute URIs without a fragment (RFC 8707 section 2)'
export const resource = v.pipe(
  oneOrMoreTexts(resourceMessage),
  v.check((resources) => resources.every(isResourceIndicator), resourceMessage),
)

const tokenEndpointMessage = 'a URL that begins with https:// and holds no blank, without fragment, user and password'
export const tokenEndpoint = v.pipe(text(tokenEndpointMessage), v.check(isWebUrl, tokenEndpointMessage))

const tokenTypesMessage =
  'one token_type or a list of them, in printable ASCII; DPoP, PoP, mac and N_A name no bearer token'
export const tokenTypes = v.pipe(
  oneOrMoreTexts(tokenTypesMessage),
  v.check((types) => types.every(isTokenType), tokenTypesMessage),
  v.description('What the token_type of its bearer tokens says where that does not name a bearer token.'),
)

const hostMessage =
  'scheme and host alone, such as https://api.example.com: port and domainBasePath have their own attributes'
export const host = v.pipe(
  text(hostMessage),
  v.check((value) => isWebUrl(value) && new URL(value).pathname === '/' && !value.includes('?'), hostMessage),
)

const basePathMessage = 'a path that begins with /, without query, fragment, % and parts that are empty, . or ..'
export const basePath = v.pipe(text(basePathMessage), v.check(isBasePath, basePathMessage))

const hostNameMessage = 'the name or address of a host, without scheme, port and brackets'
export const hostName = v.pipe(text(hostNameMessage), v.check(isHostName, hostNameMessage))

const noProxyMessage =
  'hosts as NO_PROXY has them, separated by commas or in a list: *, api.example.com, .example.com, api.example.com:8443'
export const noProxy = v.pipe(
  oneOrMoreTexts(noProxyMessage),
  v.transform((parts): readonly string[] => parts.flatMap((part) => part.split(/[\s,]+/)).filter(Boolean)),
  v.check((rules) => rules.length > 0 && rules.every(isNoProxyRule), noProxyMessage),
)

/**
 * A JSON object; `complain` names each thing that is wrong with it. Valibot's own records accept lists as objects and skip
 * names such as constructor.
 */
export function object<T extends JsonObject>(message: string, complain: (value: JsonObject) => readonly string[]) {
  return v.pipe(
    v.custom<T>(isJsonObject, message),
    v.rawCheck(({ dataset, addIssue }) => {
      if (dataset.typed) for (const complaint of complain(dataset.value)) addIssue({ message: complaint })
    }),
  )
}

const byRequest = 'is set by each request'
const ownAttribute = 'has an attribute of its own'
const ofEachRequest = 'is made for each request'
const inTheQuery = "is Tokenwell's own, in the query of a request"
const reservedParameters: Readonly<Record<string, string>> = {
  grant_type: 'is set by grantType',
  client_id: 'is set by jwtAuthenticationSetClientId',
  client_assertion: ofEachRequest,
  client_assertion_type: ofEachRequest,
  client_secret: 'must never stand in an element',
  scope: ownAttribute,
  resource: ownAttribute,
  audience: ownAttribute,
  username: byRequest,
  password: byRequest,
  minimum_seconds: inTheQuery,
  rejected_token_id: inTheQuery,
}
const reservedFolded = new Map(Object.keys(reservedParameters).map((name) => [foldedParameterName(name), name]))

export const parameters = object<Readonly<Record<string, string>>>('an object of texts', (value) => [
  ...Object.entries(value).flatMap(([name, parameter]) => [
    ...(typeof parameter === 'string' ? [] : [`an object of texts: ${name} is none`]),
    ...(Object.hasOwn(reservedParameters, name)
      ? [`an object without ${name}, which ${reservedParameters[name]}`]
      : []),
  ]),
  ...complainOfNames(Object.keys(value)),
])

const byRequestToo: readonly string[] = ['scope', 'resource', 'audience', 'username']
const requestMayMessage = 'an object that gives each parameter true or a list of values'

export const requestMay = object<Readonly<Record<string, true | readonly string[]>>>(requestMayMessage, (value) => [
  ...Object.entries(value).flatMap(([name, allowed]) => [
    ...(isAllowance(allowed) ? [] : [`${requestMayMessage}: ${name} has neither`]),
    ...(Object.hasOwn(reservedParameters, name) && !byRequestToo.includes(name)
      ? [`an object without ${name}: a request can't set that`]
      : []),
  ]),
  ...complainOfNames(Object.keys(value)),
])

function isAllowance(value: unknown): boolean {
  return value === true || (Array.isArray(value) && value.length > 0 && value.every((each) => typeof each === 'string'))
}

/** What some server takes for another parameter must not pass beside it. */
function complainOfNames(names: readonly string[]): string[] {
  const odd = names.filter((name) => !isParameterName(name))
  const disguised = names.flatMap((name) => {
    const reserved = reservedFolded.get(foldedParameterName(name))
    return reserved === undefined || reserved === name ? [] : [[name, reserved] as const]
  })
  const twins = [...Map.groupBy(names, foldedParameterName).values()].filter(({ length }) => length > 1)
  return [
    ...(odd.length > 0 ? ['an object whose names have letters, digits, _ . and - alone (RFC 6749 appendix A)'] : []),
    ...disguised.map(([name, reserved]) => `an object without ${name}, which some servers take for ${reserved}`),
    ...twins.map((same) => `an object without ${same.join(' beside ')}, which some servers take for one`),
  ]
}

export const secretName = (what: string) =>
  v.pipe(
    text('the name of a secret'),
    v.description(`The name of the secret that holds ${what}, under tokenwell/<stage>/.`),
  )
