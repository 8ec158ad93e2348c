import * as v from 'valibot'
import { isJsonObject, type JsonObject } from '../base/decoding.ts'
import { grantTypes, grantTypesByShortName, tokenTypesByShortName } from './grant-type.ts'
import { isNoProxyRule } from './no-proxy.ts'
import { isSubject } from './subject.ts'
import {
  canonicalHost,
  isBasePath,
  isDistinguishedName,
  isElementId,
  isExchangedTokenType,
  isHostName,
  isParameterName,
  isResourceIndicator,
  isScopeToken,
  isTokenType,
  isWebUrl,
  readDuration,
} from './value-syntax.ts'

/*
 * How an attribute's value looks in a file or parameter, and what it becomes once it is read. The messages of schemas
 * complete "It must be …". The messages of `object` are whole sentences. Valibot's own messages would show the value.
 */

export const text = (message = 'a non-empty text of at most 4096 characters') =>
  v.pipe(v.string(message), v.trim(), v.minLength(1, message), v.maxLength(4096, message))

/** The id of one other element, never a list of ids. */
export function reference(kind: string) {
  const message = `the id of one ${kind} element`
  return v.pipe(text(message), v.check(isElementId, message), v.description(`The id of one ${kind} element.`))
}

const authenticationMessage = 'the id of one element, or a list of ids'
const separatedMessage = `${authenticationMessage} such as ["myConfig", "myToken"]. A comma or a blank does not separate ids`
/** A list once it is read, with ids that occur twice. The ids are of elements of several kinds. */
export const authenticationConfigRef = v.pipe(
  v.union([text(), v.array(text())], authenticationMessage),
  v.description(
    'The ids of the oAuthConfig, authToken, authTokenLocal and authData elements that authenticate API calls.',
  ),
  v.check((ids) => ![ids].flat().some((id) => /[\s,]/.test(id)), separatedMessage),
  v.check((ids) => ids.length > 0 && [ids].flat().every(isElementId), authenticationMessage),
  v.transform((ids): readonly string[] => [ids].flat()),
)

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

/** One of these numbers, as a number or as digits. */
export function oneOf<const Values extends readonly number[]>(values: Values) {
  const message = `one of ${values.join(', ')}`
  return v.pipe(v.union([v.number(), v.string()], message), v.transform(Number), v.picklist(values, message))
}

const longestDuration = '8760h'

interface DurationRange {
  readonly least: string
  readonly most?: string
  /** The unit of a number without a unit. */
  readonly bareUnit?: 'h' | 'm' | 's'
  /** The value must be a multiple of this. */
  readonly resolutionMilliseconds?: keyof typeof durationForms
}

const durationForms = {
  1: 'a duration such as 30s, 1m30s or 2h',
  1000: 'a duration of whole seconds such as 30s, 1m30s or 2h',
  3600000: 'a duration of whole hours such as 12h or 720h',
} as const

/** A duration in the notation of z/OS Connect. Once read, it is in milliseconds. */
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

/** One text, or a list of texts. */
export function oneOrMoreTexts(message: string) {
  return v.pipe(
    v.union([text(message), v.pipe(v.array(text(message), message), v.minLength(1, message))], message),
    v.transform((value): readonly string[] => [...new Set([value].flat())]),
  )
}

const shortNames = Object.keys(grantTypesByShortName) as (keyof typeof grantTypesByShortName)[]
/** A short name or the name of the RFC. Once read, it is the name of the RFC. */
export const grantType = v.pipe(
  v.picklist(
    [...grantTypes, ...shortNames],
    'client_credentials, password, account_credentials, jwt-bearer or token-exchange',
  ),
  v.transform((value) => (value in grantTypesByShortName ? grantTypesByShortName[value as 'jwt-bearer'] : value)),
)

const exchangedTokenTypes = Object.keys(tokenTypesByShortName).join(', ')
const exchangedTokenTypeMessage = `one of ${exchangedTokenTypes}, or an absolute URI (RFC 8693 section 3)`
/** A short name or a URI. Once read, it is the URI. */
export const exchangedTokenType = v.pipe(
  text(exchangedTokenTypeMessage),
  v.transform((value) => new Map(Object.entries<string>(tokenTypesByShortName)).get(value) ?? value),
  v.check(isExchangedTokenType, exchangedTokenTypeMessage),
  v.description('The type of a token in a token exchange: a short name, or the URI of RFC 8693 section 3.'),
)

export const clientAuthentications = [
  'private_key_jwt',
  'client_secret_jwt',
  'client_secret_basic',
  'client_secret_post',
  'tls_client_auth',
  'none',
] as const
export const clientAuthentication = v.pipe(
  v.picklist(clientAuthentications, `one of ${clientAuthentications.join(', ')}`),
  v.description('How the client authenticates. By default the other attributes decide.'),
)

const assertionParametersMessage = 'an object that gives scope, resource or both the form text or list'
type AssertionParameters = Readonly<Partial<Record<'scope' | 'resource', 'text' | 'list'>>>
export const assertionParameters = v.pipe(
  object<AssertionParameters>(assertionParametersMessage, (value) =>
    Object.entries(value).flatMap(([name, form]) => [
      ...(name === 'scope' || name === 'resource' ? [] : [`Take out ${name}: only scope and resource can be claims.`]),
      ...(form === 'text' || form === 'list' ? [] : [`The form of ${name} must be text or list.`]),
    ]),
  ),
  v.description("The parameters that are claims of the grant's assertion, each as a text or as a list."),
)

const claimsFromRequestMessage =
  'an object that gives each claim a list of values, the claim of the caller, as { "fromCaller": "tenant" }, or true'
/** What a request may set a claim to: one of these values, any value (`true`), or the value of a claim of the caller's JWT. */
type ClaimRule = true | readonly string[] | { readonly fromCaller: string }
const claimsOfElementsAlone: readonly string[] = ['iss', 'aud', 'exp', 'iat', 'nbf', 'jti']
export const claimsFromRequest = v.pipe(
  object<Readonly<Record<string, ClaimRule>>>(claimsFromRequestMessage, (value) => [
    ...(Object.keys(value).length === 0 ? ['It names no claim. Name one, or take the attribute out.'] : []),
    ...Object.entries(value).flatMap(([name, rule]) => [
      ...(claimsOfElementsAlone.includes(name) ? [`Take out ${name}: only the elements set this claim.`] : []),
      ...(isParameterName(`claim.${name}`)
        ? []
        : [
            'The name of a claim may have only letters, digits, _ . and -, at most 122 of them: requests name it as claim.<name>.',
          ]),
      ...(isClaimRule(rule)
        ? []
        : [
            `The value of ${name} must be true, a list of texts in one line each, or an object that has only fromCaller.`,
          ]),
    ]),
  ]),
  v.description("The claims of the grant's assertion that each request sets, and to which values."),
)

function isClaimRule(rule: unknown): boolean {
  if (rule === true) return true
  if (Array.isArray(rule)) return rule.length > 0 && rule.every((each) => typeof each === 'string' && isSubject(each))
  const { fromCaller, ...others } = isJsonObject(rule) ? rule : {}
  return typeof fromCaller === 'string' && fromCaller !== '' && Object.keys(others).length === 0
}

const scopeMessage =
  'scopes that are separated by spaces, or a list of scopes. A scope is printable ASCII without " and \\ (RFC 6749 section 3.3)'
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

const tokenEndpointMessage = 'a URL that begins with https:// and has no space, fragment, user or password'
export const tokenEndpoint = v.pipe(text(tokenEndpointMessage), v.check(isWebUrl, tokenEndpointMessage))

const tokenEndpointHostsMessage = 'one host name or a list of them, without scheme, port and path'
/** Once read, the hosts are in the form of a URL's `hostname`. */
export const tokenEndpointHosts = v.pipe(
  oneOrMoreTexts(tokenEndpointHostsMessage),
  v.check((hosts) => hosts.every(isHostName), tokenEndpointHostsMessage),
  v.transform((hosts) => hosts.map(canonicalHost)),
  v.description(
    'Further hosts, beside that of the issuer, where the metadata of the server may say its token endpoint is.',
  ),
)

const tokenTypesMessage =
  'one token_type or a list of them, in printable ASCII. DPoP, PoP, mac and N_A are not allowed: they are not bearer tokens'
export const tokenTypes = v.pipe(
  oneOrMoreTexts(tokenTypesMessage),
  v.check((types) => types.every(isTokenType), tokenTypesMessage),
  v.description('Values of token_type, beside Bearer, that this server uses for bearer tokens.'),
)

/** No character that scopes often contain, and no `+`, which is a blank in a form. */
const scopeSeparators = [' ', ',', ';', '|'] as const
export const scopeSeparator = v.pipe(
  v.picklist(scopeSeparators, 'a blank, a comma, a semicolon or |'),
  v.description('The character between two scopes in a token request to this server, and in its answer.'),
)

const certificateSubjectsMessage =
  'the subject of a certificate as API Gateway writes it, such as C=DE,O=Example,CN=orders, or a list of such subjects'
export const certificateSubjects = v.pipe(
  oneOrMoreTexts(certificateSubjectsMessage),
  v.check((subjects) => subjects.every(isDistinguishedName), certificateSubjectsMessage),
  v.description('The subjects of the client certificates that may use this connection.'),
)

const hostMessage =
  'a scheme and a host without a path, such as https://api.example.com. Write the path in domainBasePath'
export const host = v.pipe(
  text(hostMessage),
  v.check((value) => isWebUrl(value) && new URL(value).pathname === '/' && !value.includes('?'), hostMessage),
)

const basePathMessage =
  'a path that begins with / and has no part that is empty, . or .., no query, no fragment and no %'
export const basePath = v.pipe(text(basePathMessage), v.check(isBasePath, basePathMessage))

const hostNameMessage = 'a host name or IP address without scheme, port and brackets'
export const hostName = v.pipe(text(hostNameMessage), v.check(isHostName, hostNameMessage))

const noProxyMessage =
  'hosts in the form of NO_PROXY, separated by commas or in a list: *, api.example.com, .example.com, api.example.com:8443'
export const noProxy = v.pipe(
  oneOrMoreTexts(noProxyMessage),
  v.transform((parts): readonly string[] => parts.flatMap((part) => part.split(/[\s,]+/)).filter(Boolean)),
  v.check((rules) => rules.length > 0 && rules.every(isNoProxyRule), noProxyMessage),
)

/**
 * A JSON object. `complain` returns a sentence for each thing that is wrong with it. Valibot's own records accept lists as
 * objects and skip names such as constructor.
 */
export function object<T extends JsonObject>(message: string, complain: (value: JsonObject) => readonly string[]) {
  return v.pipe(
    v.custom<T>(isJsonObject, message),
    v.rawCheck(({ dataset, addIssue }) => {
      if (dataset.typed) for (const complaint of complain(dataset.value)) addIssue({ message: complaint })
    }),
  )
}

export const secretName = (what: string) =>
  v.pipe(
    text('the name of a secret'),
    v.description(`The name of the secret that holds ${what}. It begins with tokenwell/<stage>/.`),
  )

export const keyLocation = v.pipe(
  text('the name of a secret, or kms: with the alias of a KMS key'),
  v.description(
    'The name of the secret that holds the keys or certificates, or kms:alias/tokenwell/<stage>/<name> for a key that never leaves AWS KMS.',
  ),
)
