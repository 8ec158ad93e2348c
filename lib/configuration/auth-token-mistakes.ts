import { isJsonObject, type JsonObject } from '../base/decoding.ts'
import { authorizationDetails } from './authorization-details.ts'
import { isSecretLeaf, leavesOfBody, parametersInBody, readLeaf } from './body-leaf.ts'
import type { AuthData, AuthorizationServer, AuthToken, ElementReference } from './element.ts'
import type { FindingList } from './finding.ts'
import { isHeaderValue } from './value-syntax.ts'

/* What can't work in an `authToken`. z/OS Connect has messages for some of it: BAQR1001E to BAQR1005E. */

/** An `authToken` and the elements that say how its request authenticates. */
export interface AuthTokenOrigin {
  readonly element: ElementReference
  readonly attributes: AuthToken
  /** Undefined if the element is missing or can't be read. Then there is a finding. */
  readonly server: AuthorizationServer | undefined
  /** The element that `basicAuthRef` of the server names. */
  readonly authData: AuthData | undefined
}

export function refuseMistakes(origin: AuthTokenOrigin, findings: FindingList): void {
  const { element, attributes } = origin
  refuseTwoCredentials(origin, findings)
  const ofRequest = [...complaintsOfCallers(origin), ...complaintsOfHeaders(origin), ...complaintsOfRequestBody(origin)]
  for (const sentence of ofRequest) findings.addMistake(element, 'tokenRequest', sentence)
  for (const sentence of complaintsOfResponse(attributes)) findings.addMistake(element, 'tokenResponse', sentence)
  refuseParameters(origin, findings)
}

function refuseTwoCredentials(
  { element, attributes: { jwtAuthenticationTokenRef, authServerRef }, server }: AuthTokenOrigin,
  findings: FindingList,
): void {
  if (jwtAuthenticationTokenRef !== undefined && server?.basicAuthRef !== undefined)
    findings.addMistake(
      element,
      'jwtAuthenticationTokenRef',
      `authorizationServer/${authServerRef} has basicAuthRef too, but a request has only one of them: the JWT, or the user with the password. Take one of the two out.`,
    )
}

/** Names that a request has for other things. */
const namesOfOAuth: readonly string[] = [
  ...['scope', 'resource', 'audience', 'username', 'actor_token', 'requested_token_type', authorizationDetails],
]

/** A parameter that a request may set must go somewhere, and no other one may. */
function refuseParameters({ element, attributes }: AuthTokenOrigin, findings: FindingList): void {
  const { requestMay = {}, tokenRequest: { requestBody, parameterHeaders = {} } = {} } = attributes
  const used = [...parametersInBody(requestBody), ...Object.values(parameterHeaders)]
  for (const name of Object.keys(requestMay))
    if (namesOfOAuth.includes(name))
      findings.addMistake(
        element,
        'requestMay',
        `The parameter ${name} is for OAuth 2.0. Give the parameter of this token server another name.`,
      )
    else if (!used.includes(name))
      findings.addMistake(
        element,
        'requestMay',
        `It lists ${name}, but tokenRequest has no place for it. Write { "parameter": "${name}" } in requestBody, name it in parameterHeaders, or take it out.`,
      )
  for (const name of used)
    if (!Object.hasOwn(requestMay, name))
      findings.addMistake(
        element,
        'tokenRequest',
        `It has a place for the parameter ${name}, but requestMay does not list it. List its values there, or true for any text.`,
      )
}

/** About other credentials beside those of the callers. */
function complaintsOfCallers({ attributes, server }: AuthTokenOrigin): readonly string[] {
  if (!isOfCaller(attributes)) return []
  const { jwtAuthenticationTokenRef, authServerRef } = attributes
  return [
    ...(server?.basicAuthRef === undefined
      ? []
      : [
          `credentialsFrom is caller, but basicAuthRef of authorizationServer/${authServerRef} names a user too. Take credentialsFrom out, or name an authorizationServer without basicAuthRef.`,
        ]),
    ...(jwtAuthenticationTokenRef === undefined
      ? []
      : [
          'credentialsFrom is caller, but jwtAuthenticationTokenRef sends a JWT, and a request has only one of them. Take one of the two out.',
        ]),
  ]
}

function isOfCaller({ tokenRequest }: AuthToken): boolean {
  return tokenRequest?.credentialsFrom === 'caller'
}

/** About the headers that carry the credentials. */
function complaintsOfHeaders({ attributes, server, authData }: AuthTokenOrigin): readonly string[] {
  const { tokenRequest = {}, jwtAuthenticationTokenRef, authServerRef } = attributes
  const { credentialLocation = 'header', userHeader, passwordHeader } = tokenRequest
  const isNamed = userHeader !== undefined || passwordHeader !== undefined
  const complaints: string[] = []
  if (isNamed && passwordHeader === undefined)
    complaints.push('userHeader needs passwordHeader beside it. Set both, or take it out and use header.')
  if (isNamed && userHeader === undefined)
    complaints.push('passwordHeader needs userHeader beside it. Set both, or take it out and use header.')
  if (isNamed && userHeader === passwordHeader)
    complaints.push('userHeader and passwordHeader name the same header. Name two headers.')
  if (isNamed && jwtAuthenticationTokenRef !== undefined)
    complaints.push(
      'userHeader and passwordHeader are for a user with a password, but jwtAuthenticationTokenRef sends a JWT. Take them out. The attribute header names the header of the JWT.',
    )
  if (isNamed && credentialLocation === 'body')
    complaints.push(
      'credentialLocation is body, but userHeader and passwordHeader put the credentials into headers. Take them out, or set credentialLocation to header.',
    )
  for (const name of Object.keys(tokenRequest.parameterHeaders ?? {}))
    if (Object.hasOwn(server?.headers ?? {}, name))
      complaints.push(
        `parameterHeaders has the header ${name}, which headers of authorizationServer/${authServerRef} sets too. Take it out of one of the two.`,
      )
  const isOfElements = jwtAuthenticationTokenRef !== undefined || server?.basicAuthRef !== undefined
  const hasCredentials = isOfElements || isOfCaller(attributes)
  if (hasCredentials && credentialLocation === 'header') {
    const used = isNamed ? [userHeader, passwordHeader] : [tokenRequest.header ?? 'authorization']
    for (const name of used) {
      if (name !== undefined && Object.hasOwn(tokenRequest.parameterHeaders ?? {}, name))
        complaints.push(`The credentials are in the header ${name}, which parameterHeaders has too. Take it out there.`)
      if (name !== undefined && Object.hasOwn(server?.headers ?? {}, name))
        complaints.push(
          `The credentials are in the header ${name}, which headers of authorizationServer/${authServerRef} sets too. Take it out there, or set another header here.`,
        )
    }
    if (authData) complaints.push(...complaintsOfUser(authData, isNamed, server?.basicAuthRef ?? ''))
  }
  return complaints
}

function complaintsOfUser({ user }: AuthData, isNamed: boolean, id: string): readonly string[] {
  if (isNamed && !isHeaderValue(user))
    return [
      `The user of authData/${id} can't be sent in userHeader: a header has printable ASCII without blanks at its ends. Set credentialLocation to body, or use another user.`,
    ]
  if (!isNamed && user.includes(':'))
    return [
      `The user of authData/${id} has a colon: the server would read the rest as password (RFC 7617 section 2). Use a user name without a colon.`,
    ]
  return []
}

function complaintsOfRequestBody({ attributes, server, authData }: AuthTokenOrigin): readonly string[] {
  const { tokenRequest = {}, jwtAuthenticationTokenRef } = attributes
  const { requestMethod = 'POST', credentialLocation = 'header', requestBody, bodyFormat = 'JSON' } = tokenRequest
  const hasUser = authData !== undefined || isOfCaller(attributes)
  const hasJwt = jwtAuthenticationTokenRef !== undefined && !isOfCaller(attributes)
  if (requestBody === undefined)
    return credentialLocation === 'body'
      ? [
          'credentialLocation is body, but requestBody is missing (in z/OS Connect: BAQR1001E). Add it: an object with { "user": true } and { "password": true }, or { "assertion": true }, at their places.',
        ]
      : []
  const complaints: string[] = []
  if (requestMethod === 'GET')
    complaints.push('A GET request has no body. Take requestBody out, or set requestMethod to POST or PUT.')
  const leaves = leavesOfBody(requestBody)
  for (const leaf of ['user', 'password'] as const)
    if (leaves.includes(leaf) && server && !hasUser && server.basicAuthRef === undefined)
      complaints.push(
        `requestBody has { "${leaf}": true }, but there is no ${leaf}. Set basicAuthRef on authorizationServer/${attributes.authServerRef}.`,
      )
  if (leaves.includes('assertion') && !hasJwt)
    complaints.push('requestBody has { "assertion": true }, but there is no JWT. Set jwtAuthenticationTokenRef.')
  const needed = hasJwt ? 'assertion' : hasUser ? 'password' : undefined
  if (credentialLocation === 'body' && needed !== undefined && !leaves.includes(needed))
    complaints.push(
      `credentialLocation is body, but requestBody has no { "${needed}": true }: the request would not authenticate. Add it at its place.`,
    )
  // Without it, the limit of guesses for a user would not hold: a caller could name another user for each guess.
  if (credentialLocation === 'body' && isOfCaller(attributes) && !leaves.includes('user'))
    complaints.push(
      'credentialsFrom is caller, but requestBody has no { "user": true }: the user of a request would have no effect. Add it at its place.',
    )
  if (credentialLocation === 'body' && needed === undefined && !leaves.some(isSecretLeaf) && server)
    complaints.push(
      `credentialLocation is body, but there are no credentials. Set basicAuthRef on authorizationServer/${attributes.authServerRef}, or jwtAuthenticationTokenRef, or name a secret in requestBody.`,
    )
  if (credentialLocation === 'header' && needed !== undefined && leaves.includes(needed))
    complaints.push(
      `The credentials would be sent twice: in a header, and as { "${needed}": true } in requestBody. Set credentialLocation to body, or take this member out.`,
    )
  if (bodyFormat === 'form') complaints.push(...complaintsOfForm(requestBody))
  return complaints
}

function complaintsOfForm(body: JsonObject): readonly string[] {
  const isNested = (value: unknown) =>
    value === null || ((Array.isArray(value) || isJsonObject(value)) && readLeaf(value) === undefined)
  return Object.values(body).some(isNested)
    ? [
        'A form has no nested members, no lists and no null. Write texts, numbers and leaves, or set bodyFormat to JSON.',
      ]
    : []
}

function complaintsOfResponse({ tokenResponse = {} }: AuthToken): readonly string[] {
  const { tokenLocation, responseFormat, tokenPath, header, expiresPath, expiresHeader } = tokenResponse
  const complaints: string[] = []
  if (tokenLocation === 'header' && header === undefined)
    complaints.push(
      'tokenLocation is header, but header is missing (in z/OS Connect: BAQR1005E). Set it to the name of the header that has the token.',
    )
  if (tokenLocation === undefined && header !== undefined && tokenPath === undefined && responseFormat === undefined)
    complaints.push('header has an effect only with tokenLocation header. Set tokenLocation to header.')
  else if (tokenLocation !== 'header') complaints.push(...complaintsOfBodyPlace(tokenResponse))
  if (expiresPath !== undefined && expiresHeader !== undefined)
    complaints.push('Both expiresPath and expiresHeader say where the end of the token is. Take one of them out.')
  return complaints
}

function complaintsOfBodyPlace({
  responseFormat,
  tokenPath,
  expiresPath,
}: NonNullable<AuthToken['tokenResponse']>): readonly string[] {
  if (responseFormat === undefined && tokenPath === undefined)
    return [
      'The token is in the body of the answer unless tokenLocation is header, but responseFormat is missing (in z/OS Connect: BAQR1003E). Set it to Text, or to JSON with tokenPath.',
    ]
  if (responseFormat === 'JSON' && tokenPath === undefined)
    return [
      'responseFormat is JSON, but tokenPath is missing (in z/OS Connect: BAQR1002E). Set it to the members that lead to the token, such as token or data.accessToken.',
    ]
  if (responseFormat !== 'Text') return []
  const paths = Object.entries({ tokenPath, expiresPath }).flatMap(([name, path]) => (path === undefined ? [] : [name]))
  return paths.map(
    (name) =>
      `responseFormat is Text: the whole body is the token, and ${name} leads nowhere. Set responseFormat to JSON, or take ${name} out.`,
  )
}
