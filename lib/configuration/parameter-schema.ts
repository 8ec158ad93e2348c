import * as v from 'valibot'
import { isJsonObject, type JsonObject } from '../base/decoding.ts'
import { object, oneOrMoreTexts } from './attribute-schema.ts'
import {
  authorizationDetails as authorizationDetailsName,
  canonicalDetails,
  detailsMessage,
} from './authorization-details.ts'
import { foldedParameterName, isParameterName } from './value-syntax.ts'

const bySeparateAttribute = 'set it with the attribute of that name'
const byCaller = 'each caller sets it'
const byTokenwell = 'Tokenwell makes it for each request'
const inTheQuery = 'Tokenwell reads it from the query of a request and never sends it'
/** Why `parameters` must not set them. */
const reservedParameters: Readonly<Record<string, string>> = {
  grant_type: 'set it with grantType',
  client_id: 'set it with jwtAuthenticationSetClientId',
  client_assertion: byTokenwell,
  client_assertion_type: byTokenwell,
  client_secret: 'an element never holds a secret',
  assertion: byTokenwell,
  subject_token: 'Tokenwell makes it, or each caller sends it',
  subject_token_type: 'set it with subjectTokenType',
  actor_token: 'Tokenwell makes it, or callers send it where requestMay lists it',
  actor_token_type: 'set it with actorTokenType',
  requested_token_type: 'set it with requestedTokenType',
  scope: bySeparateAttribute,
  authorization_details: 'set it with authorizationDetails',
  resource: bySeparateAttribute,
  audience: bySeparateAttribute,
  username: byCaller,
  password: byCaller,
  minimum_seconds: inTheQuery,
  rejected_token_id: inTheQuery,
}
const reservedFolded = new Map(Object.keys(reservedParameters).map((name) => [foldedParameterName(name), name]))

export const parameters = object<Readonly<Record<string, string>>>('an object of texts', (value) => [
  ...Object.entries(value).flatMap(([name, parameter]) => [
    ...(typeof parameter === 'string' ? [] : [`The value of ${name} must be a text.`]),
    ...(Object.hasOwn(reservedParameters, name)
      ? [`Take out the parameter ${name}: ${reservedParameters[name]}.`]
      : []),
  ]),
  ...complainOfNames(Object.keys(value)),
])

const byRequestToo: readonly string[] = [
  'scope',
  'resource',
  'audience',
  'username',
  'actor_token',
  'requested_token_type',
  authorizationDetailsName,
]
const requestMayMessage = 'an object that gives each parameter true or a list of values'

type Allowances = Readonly<Record<string, true | readonly string[]>>

const writtenRequestMay = object<Allowances>(requestMayMessage, (value) => [
  ...Object.entries(value).flatMap(([name, allowed]) => [
    ...complainOfAllowance(name, allowed),
    ...(name === 'actor_token' && allowed !== true ? ['The value of actor_token must be true.'] : []),
    ...(name.startsWith('claim.') ? [`Take out the parameter ${name}: list the claim in claimsFromRequest.`] : []),
    ...(Object.hasOwn(reservedParameters, name) && !byRequestToo.includes(name)
      ? [`Take out the parameter ${name}: requestMay does not decide about it.`]
      : []),
  ]),
  ...complainOfNames(Object.keys(value)),
])

/** Once read, each object of authorization_details is its canonical JSON text. */
export const requestMay = v.pipe(
  writtenRequestMay,
  v.transform((allowed): Allowances => {
    const details = canonicalDetails(allowed[authorizationDetailsName])
    return details ? { ...allowed, [authorizationDetailsName]: details } : allowed
  }),
)

const detailsAttributeMessage = detailsMessage.replace('a JSON list', 'a list')
/** Once read, each object is its canonical JSON text. */
export const authorizationDetails = v.pipe(
  v.array(v.custom<JsonObject>(isJsonObject, detailsAttributeMessage), detailsAttributeMessage),
  v.check((value) => canonicalDetails(value) !== undefined, detailsAttributeMessage),
  v.transform((value) => canonicalDetails(value) ?? []),
  v.description('The authorization_details of each token request (RFC 9396): a list of objects that each have a type.'),
)

/** URLs get into logs of proxies and servers: no credentials, no token, no user, and no details that may name an account. */
const notInQuery: readonly string[] = [
  ...['client_id', 'client_secret', 'client_assertion', 'client_assertion_type', 'assertion', 'username', 'password'],
  ...['subject_token', 'actor_token', authorizationDetailsName, 'minimum_seconds', 'rejected_token_id'],
]
const soundsSecretInQuery = /(secret|pass(word|phrase|code)?|assertion|credentials?|(^|[_.-]|api)key|token|pin|code)$/i
const inQueryMessage = 'the name of one parameter or a list of names'

export const parametersInQuery = v.pipe(
  oneOrMoreTexts(inQueryMessage),
  v.rawCheck(({ dataset, addIssue }) => {
    if (!dataset.typed) return
    const refused = dataset.value.filter((name) => notInQuery.includes(name) || soundsSecretInQuery.test(name))
    for (const name of refused)
      addIssue({
        message: `Take out the parameter ${name}: a query gets into logs, and this parameter may hold a secret.`,
      })
    for (const message of complainOfNames(dataset.value)) addIssue({ message })
  }),
  v.description('The parameters that go into the query of the token endpoint instead of the body.'),
)

function complainOfAllowance(name: string, allowed: unknown): readonly string[] {
  if (name !== authorizationDetailsName)
    return isAllowance(allowed) ? [] : [`The value of ${name} must be true or a list of texts.`]
  return allowed === true || canonicalDetails(allowed)
    ? []
    : [`The value of ${name} must be true or ${detailsAttributeMessage}.`]
}

function isAllowance(value: unknown): boolean {
  return value === true || (Array.isArray(value) && value.length > 0 && value.every((each) => typeof each === 'string'))
}

/** Some servers ignore case or separators in names, so a second spelling could override a parameter that the operator set. */
function complainOfNames(names: readonly string[]): string[] {
  const odd = names.filter((name) => !isParameterName(name))
  const disguised = names.flatMap((name) => {
    const reserved = reservedFolded.get(foldedParameterName(name))
    return reserved === undefined || reserved === name ? [] : [[name, reserved] as const]
  })
  const twins = [...Map.groupBy(names, foldedParameterName).values()].filter(({ length }) => length > 1)
  return [
    ...(odd.length > 0 ? ['A parameter name may have only letters, digits, _ . and - (RFC 6749 appendix A).'] : []),
    ...disguised.map(([name, reserved]) => `Take out the parameter ${name}: some servers read it as ${reserved}.`),
    ...twins.map((same) => {
      const parameters = same.join(' and ')
      return `Keep only one of the parameters ${parameters}: some servers read them as the same parameter.`
    }),
  ]
}
