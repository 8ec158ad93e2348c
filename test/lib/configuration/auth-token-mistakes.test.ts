import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import {
  assertLines,
  exampleIssuer,
  findingsOf,
  mistakesOf,
  resolveConn,
} from '../../support/elements/element-store.ts'
import { exampleElements, type RawElements } from '../../support/elements/elements.ts'

/* What `authToken` may hold, and the sentence for each mistake. */

type Attributes = Readonly<Record<string, unknown>>

interface Changes {
  readonly auth?: Attributes
  readonly request?: Attributes
  readonly response?: Attributes
  readonly server?: Attributes
  readonly authData?: Attributes
}

const response = { responseFormat: 'JSON', tokenPath: 'token' }
const byUser = { basicAuthRef: 'theUser' }
const byJwt = { auth: { jwtAuthenticationTokenRef: 'theTokenConfig' }, server: { basicAuthRef: undefined } }

const byCaller = (request: Attributes): Changes => ({
  request: { credentialsFrom: 'caller', ...request },
  server: { basicAuthRef: undefined },
})

/** A connection with the token of an `authToken` that sends a user and a password. */
function elements(changes: Changes = {}): RawElements {
  return {
    ...exampleElements(exampleIssuer, {
      endpoint: { authenticationConfigRef: 'theToken' },
      server: { ...byUser, ...changes.server },
      tokenConfig: { tokenSubject: undefined },
    }),
    oAuthConfig: {},
    authData: {
      theUser: { user: 'jwtuser', passwordSecret: 'tokenwell/local/the-password', ...changes.authData },
    },
    authToken: {
      theToken: {
        authServerRef: 'theServer',
        ...(changes.request && { tokenRequest: changes.request }),
        tokenResponse: changes.response ?? response,
        ...changes.auth,
      },
    },
  }
}

/** The findings on elements that the connection uses. */
async function linesOf(t: TestContext, changes: Changes): Promise<readonly string[]> {
  const lines = await findingsOf(t, elements(changes))
  return lines.filter((line) => !/^jwtBuilder\//.test(line))
}

const members: readonly (readonly [string, Changes, RegExp])[] = [
  [
    'a member of the request in the element itself, though its name sounds like a secret',
    { auth: { credentialLocation: 'header' } },
    /credentialLocation: There is no such attribute\. It is a member of tokenRequest: write it there\.$/,
  ],
  [
    'a member of the answer in the element itself',
    { auth: { tokenPath: 'token' } },
    /tokenPath: There is no such attribute\. It is a member of tokenResponse: write it there\.$/,
  ],
  [
    'a misspelt member of the request',
    { request: { requestMetod: 'GET' } },
    /tokenRequest: There is no member requestMetod\. Did you mean requestMethod\?$/,
  ],
  [
    'an unknown member of the request',
    { request: { timeout: 5 } },
    /tokenRequest: There is no member timeout\. The members are requestMethod, credentialLocation, credentialsFrom, header, userHeader, passwordHeader, parameterHeaders, requestBody, bodyFormat\.$/,
  ],
  [
    'a member whose name may be a secret',
    { request: { [`eyJ${'a'.repeat(40)}`]: 5 } },
    /tokenRequest: There is no such member\. The members are /,
  ],
  [
    'a misspelt member of the answer',
    { response: { ...response, tokenpath: 'a' } },
    /tokenResponse: There is no member tokenpath\. Did you mean tokenPath\?$/,
  ],
  [
    'a method in lower case',
    { request: { requestMethod: 'put' } },
    /tokenRequest: The member requestMethod must be GET, PUT or POST\. The value is another text\. Did you mean PUT\?$/,
  ],
  [
    'a format in capitals',
    { response: { responseFormat: 'TEXT' } },
    /tokenResponse: The member responseFormat must be Text or JSON\. The value is another text\. Did you mean Text\?$/,
  ],
  [
    'a request that is a text',
    { auth: { tokenRequest: 'POST' } },
    /tokenRequest: It must be an object\. The value is another text\.$/,
  ],
  [
    'an answer that is a list',
    { auth: { tokenResponse: [] } },
    /tokenResponse: It must be an object\. The value is a list\.$/,
  ],
  [
    'a header that Tokenwell sets itself',
    { request: { header: 'Content-Type' } },
    /tokenRequest: The member header: The header Content-Type can't carry credentials: Tokenwell sets it itself\. Name another header\.$/,
  ],
  [
    'a header with a blank',
    { response: { tokenLocation: 'header', header: 'X Token' } },
    /tokenResponse: The member header: A header name may have only letters, digits and /,
  ],
  [
    'a header of an answer that never has a token',
    { response: { tokenLocation: 'header', header: 'Content-Type' } },
    /tokenResponse: The member header: The header Content-Type of an answer is for something else\. Name another header\.$/,
  ],
  [
    'a text template as body',
    { request: { credentialLocation: 'body', requestBody: '{"user":"$' + '{userid}"}' } },
    /tokenRequest: The member requestBody must be an object of the members of the body\. Text templates are not read: where a template has the user, write \{ "user": true \}, and \{ "password": true \} where it has the password\./,
  ],
  [
    'a variable in a body',
    { request: { requestBody: { user: '$' + '{userid}' } } },
    /tokenRequest: It holds the server\.xml variable userid\. .* write \{ "user": true \} in place of the user, and \{ "password": true \} in place of the password\. Elsewhere write the value itself\.$/,
  ],
  [
    'a body that is one leaf',
    { request: { credentialLocation: 'body', requestBody: { password: true } } },
    /tokenRequest: The member requestBody: The body itself must have a member\./,
  ],
  [
    'a leaf with true as a text',
    { request: { credentialLocation: 'body', requestBody: { a: [{ password: 'true' }] } } },
    /tokenRequest: The member requestBody: The value of password must be true, as in \{ "password": true \}\.$/,
  ],
  [
    'a leaf for a secret without its name',
    { request: { requestBody: { a: { secret: true } } } },
    /tokenRequest: The member requestBody: The value of secret must be the name of a secret/,
  ],
  [
    'a leaf with a secret of another stage',
    { request: { requestBody: { a: [{ b: { secret: 'tokenwell/prod/key' } }] } } },
    /tokenRequest: The value of secret in requestBody names a secret of another stage\./,
  ],
  [
    'a signed token in the body',
    { request: { requestBody: { a: 'eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIn0.c2ln' } } },
    /tokenRequest: It holds a signed token\. An element never holds a secret\./,
  ],
  ...['$.tokens[0].value', '$..token', '$', 'data.*', 'a[?(@.b)]'].map(
    (tokenPath) =>
      [
        `the JSONPath ${tokenPath}`,
        { response: { responseFormat: 'JSON', tokenPath } },
        /tokenResponse: The member tokenPath must be names of JSON members .*\. Of JSONPath, only the beginning \$\. is read: an item of a list cannot be named\./,
      ] as const,
  ),
  ...['a.', '.a', 'a b', 'a/b'].map(
    (expiresPath) =>
      [
        `the path ${expiresPath}`,
        { response: { ...response, expiresPath } },
        /tokenResponse: The member expiresPath must be names of JSON members that are separated by dots, such as token or data\.accessToken\. The value/,
      ] as const,
  ),
]

const ofParameters: typeof members = [
  [
    'a parameter that no place has',
    { auth: { requestMay: { tenant: true } } },
    /requestMay: It lists tenant, but tokenRequest has no place for it\. Write \{ "parameter": "tenant" \} in requestBody, name it in parameterHeaders, or take it out\.$/,
  ],
  [
    'a place for a parameter that is not listed',
    { request: { requestBody: { a: [{ parameter: 'tenant' }] } } },
    /tokenRequest: It has a place for the parameter tenant, but requestMay does not list it\. List its values there, or true for any text\.$/,
  ],
  [
    'a header for a parameter that is not listed',
    { request: { parameterHeaders: { 'X-Tenant': 'constructor' } } },
    /tokenRequest: It has a place for the parameter constructor, but requestMay does not list it\./,
  ],
  [
    'a parameter of OAuth 2.0',
    { auth: { requestMay: { scope: true } }, request: { requestBody: { a: { parameter: 'scope' } } } },
    /requestMay: The parameter scope is for OAuth 2\.0\. Give the parameter of this token server another name\.$/,
  ],
  [
    'a leaf for a parameter without its name',
    { request: { requestBody: { a: { parameter: true } } } },
    /tokenRequest: The member requestBody: The value of parameter must be a name in requestMay/,
  ],
  [
    'a header for a parameter that Tokenwell sets itself',
    { request: { parameterHeaders: { Host: 'tenant' } } },
    /tokenRequest: The member parameterHeaders: Take out the header Host: Tokenwell sets it itself\.$/,
  ],
  [
    'a header for a parameter twice',
    { request: { parameterHeaders: { 'X-A': 'a', 'x-a': 'a' } } },
    /tokenRequest: The member parameterHeaders: Keep only one of the headers X-A and x-a: case does not count\.$/,
  ],
  [
    'a header for a parameter with a blank',
    { request: { parameterHeaders: { 'X A': 'a' } } },
    /tokenRequest: The member parameterHeaders: A header name may have only letters, digits and /,
  ],
  [
    'a header for a parameter without its name',
    { request: { parameterHeaders: { 'X-A': 5 } } },
    /tokenRequest: The member parameterHeaders: The value of X-A must be the name of a parameter in requestMay\.$/,
  ],
  [
    'a header for a parameter that the server has already',
    {
      auth: { requestMay: { a: true } },
      request: { parameterHeaders: { 'X-A': 'a' } },
      server: { headers: { 'x-a': 'b' } },
    },
    /tokenRequest: parameterHeaders has the header x-a, which headers of authorizationServer\/theServer sets too\./,
  ],
  [
    'a header for a parameter that has the credentials',
    { auth: { requestMay: { a: true } }, request: { parameterHeaders: { Authorization: 'a' } } },
    /tokenRequest: The credentials are in the header authorization, which parameterHeaders has too\. Take it out there\.$/,
  ],
]
test('parameters of a request have places in the body and in headers', async (t) => {
  const changes = {
    auth: { requestMay: { tenant: ['north'], contents: true } },
    request: { requestBody: { a: [{ b: { parameter: 'contents' } }] }, parameterHeaders: { 'X-Tenant': 'tenant' } },
  }
  const { grant, requestMay } = await resolveConn(t, elements(changes))
  assert.deepEqual(requestMay, { tenant: ['north'], contents: true })
  assert.deepEqual('request' in grant && grant.request.parameterHeaders, { 'x-tenant': 'tenant' })
})

const contradictions: readonly (readonly [string, Changes, RegExp])[] = [
  [
    'credentials in a body that is missing',
    { request: { credentialLocation: 'body' } },
    /tokenRequest: credentialLocation is body, but requestBody is missing \(in z\/OS Connect: BAQR1001E\)\./,
  ],
  [
    'JSON without a path',
    { response: { tokenLocation: 'body', responseFormat: 'JSON' } },
    /tokenResponse: responseFormat is JSON, but tokenPath is missing \(in z\/OS Connect: BAQR1002E\)\./,
  ],
  [
    'a body without a format',
    { response: { tokenLocation: 'body' } },
    /tokenResponse: The token is in the body .* responseFormat is missing \(in z\/OS Connect: BAQR1003E\)\. Set it to Text, or to JSON with tokenPath\.$/,
  ],
  ['no answer at all', { auth: { tokenResponse: undefined } }, /tokenResponse: The token is in the body .*BAQR1003E/],
  [
    'a token in a header without a name',
    { response: { tokenLocation: 'header' } },
    /tokenResponse: tokenLocation is header, but header is missing \(in z\/OS Connect: BAQR1005E\)\./,
  ],
  [
    'a header without tokenLocation',
    { response: { header: 'X-Token' } },
    /tokenResponse: header has an effect only with tokenLocation header\. Set tokenLocation to header\.$/,
  ],
  [
    'a path in a text',
    { response: { responseFormat: 'Text', tokenPath: 'token' } },
    /tokenResponse: responseFormat is Text: the whole body is the token, and tokenPath leads nowhere\./,
  ],
  [
    'a path to the end in a text',
    { response: { responseFormat: 'Text', expiresPath: 'end' } },
    /tokenResponse: responseFormat is Text: .* expiresPath leads nowhere\./,
  ],
  [
    'two places of the end',
    { response: { ...response, expiresPath: 'end', expiresHeader: 'X-End' } },
    /tokenResponse: Both expiresPath and expiresHeader say where the end of the token is\./,
  ],
  [
    'a GET with a body',
    { request: { requestMethod: 'GET', requestBody: { a: 'b' } } },
    /tokenRequest: A GET request has no body\. Take requestBody out, or set requestMethod to POST or PUT\.$/,
  ],
  [
    'a user without basicAuthRef',
    { ...byJwt, request: { requestBody: { a: { user: true } } } },
    /tokenRequest: requestBody has \{ "user": true \}, but there is no user\. Set basicAuthRef on authorizationServer\/theServer\.$/,
  ],
  [
    'a password without basicAuthRef',
    { ...byJwt, request: { requestBody: { a: { password: true } } } },
    /tokenRequest: requestBody has \{ "password": true \}, but there is no password\./,
  ],
  [
    'an assertion without jwtAuthenticationTokenRef',
    { request: { requestBody: { a: { assertion: true } } } },
    /tokenRequest: requestBody has \{ "assertion": true \}, but there is no JWT\. Set jwtAuthenticationTokenRef\.$/,
  ],
  [
    'credentials in a body without a password',
    { request: { credentialLocation: 'body', requestBody: { name: { user: true } } } },
    /tokenRequest: credentialLocation is body, but requestBody has no \{ "password": true \}: the request would not authenticate\./,
  ],
  [
    'credentials in a body without the assertion',
    { ...byJwt, request: { credentialLocation: 'body', requestBody: { name: 'a' } } },
    /tokenRequest: credentialLocation is body, but requestBody has no \{ "assertion": true \}/,
  ],
  [
    'no credentials in a body',
    { server: { basicAuthRef: undefined }, request: { credentialLocation: 'body', requestBody: { name: 'a' } } },
    /tokenRequest: credentialLocation is body, but there are no credentials\./,
  ],
  [
    'a password in a header and in the body',
    { request: { requestBody: { name: { password: true } } } },
    /tokenRequest: The credentials would be sent twice: in a header, and as \{ "password": true \} in requestBody\./,
  ],
  [
    'a list in a form',
    { request: { bodyFormat: 'form', requestBody: { names: ['a'] } } },
    /tokenRequest: A form has no nested members, no lists and no null\./,
  ],
  [
    'an object in a form',
    { request: { bodyFormat: 'form', requestBody: { a: { b: 'c' } } } },
    /tokenRequest: A form has no nested members, no lists and no null\./,
  ],
  [
    'null in a form',
    { request: { bodyFormat: 'form', requestBody: { a: null } } },
    /tokenRequest: A form has no nested members, no lists and no null\./,
  ],
  [
    'a user header alone',
    { request: { userHeader: 'X-User' } },
    /tokenRequest: userHeader needs passwordHeader beside it\./,
  ],
  [
    'a password header alone',
    { request: { passwordHeader: 'X-Password' } },
    /tokenRequest: passwordHeader needs userHeader beside it\./,
  ],
  [
    'one header for both',
    { request: { userHeader: 'X-User', passwordHeader: 'x-user' } },
    /tokenRequest: userHeader and passwordHeader name the same header\./,
  ],
  [
    'named headers for a JWT',
    { ...byJwt, request: { userHeader: 'X-User', passwordHeader: 'X-Password' } },
    /tokenRequest: userHeader and passwordHeader are for a user with a password, but jwtAuthenticationTokenRef sends a JWT\./,
  ],
  [
    'named headers and a body',
    {
      request: {
        credentialLocation: 'body',
        userHeader: 'X-User',
        passwordHeader: 'X-Password',
        requestBody: { p: { password: true } },
      },
    },
    /tokenRequest: credentialLocation is body, but userHeader and passwordHeader put the credentials into headers\./,
  ],
  [
    'a header that the server has already',
    { request: { header: 'X-Key' }, server: { headers: { 'x-key': { secret: 'tokenwell/local/key' } } } },
    /tokenRequest: The credentials are in the header x-key, which headers of authorizationServer\/theServer sets too\./,
  ],
  [
    'a named header that the server has already',
    { request: { userHeader: 'X-A', passwordHeader: 'X-B' }, server: { headers: { 'X-B': 'b' } } },
    /tokenRequest: The credentials are in the header x-b, which headers/,
  ],
  [
    "a caller's user beside basicAuthRef",
    { request: { credentialsFrom: 'caller' } },
    /tokenRequest: credentialsFrom is caller, but basicAuthRef of authorizationServer\/theServer names a user too\. Take credentialsFrom out, or name an authorizationServer without basicAuthRef\.$/,
  ],
  [
    "a caller's user beside a JWT",
    { ...byJwt, request: { credentialsFrom: 'caller' } },
    /tokenRequest: credentialsFrom is caller, but jwtAuthenticationTokenRef sends a JWT, and a request has only one of them\./,
  ],
  [
    "a caller's user without effect",
    { ...byCaller({ credentialLocation: 'body', requestBody: { name: 'a', p: { password: true } } }) },
    /tokenRequest: credentialsFrom is caller, but requestBody has no \{ "user": true \}: the user of a request would have no effect\./,
  ],
  [
    "a caller's password that the body lacks",
    { ...byCaller({ credentialLocation: 'body', requestBody: { name: { user: true } } }) },
    /tokenRequest: credentialLocation is body, but requestBody has no \{ "password": true \}: the request would not authenticate\./,
  ],
  [
    "a caller's password in a header and in the body",
    { ...byCaller({ requestBody: { p: { password: true } } }) },
    /tokenRequest: The credentials would be sent twice: in a header, and as \{ "password": true \} in requestBody\./,
  ],
  [
    "a caller's user in a header that the server has already",
    {
      request: { credentialsFrom: 'caller', header: 'X-A' },
      server: { basicAuthRef: undefined, headers: { 'X-A': 'a' } },
    },
    /tokenRequest: The credentials are in the header x-a, which headers/,
  ],
  [
    'credentials from nowhere',
    { request: { credentialsFrom: 'callers' } },
    /tokenRequest: The member credentialsFrom must be elements or caller\. .*Did you mean caller\?$/,
  ],
  [
    'two credentials',
    { auth: { jwtAuthenticationTokenRef: 'theTokenConfig' } },
    /jwtAuthenticationTokenRef: authorizationServer\/theServer has basicAuthRef too, but a request has only one of them/,
  ],
  [
    'a user with a colon',
    { authData: { user: 'a:b' } },
    /tokenRequest: The user of authData\/theUser has a colon: .*RFC 7617/,
  ],
  [
    'a user that no header can have',
    { authData: { user: 'jürgen' }, request: { userHeader: 'X-User', passwordHeader: 'X-Password' } },
    /tokenRequest: The user of authData\/theUser can't be sent in userHeader/,
  ],
]

for (const [what, changes, pattern] of [...members, ...ofParameters, ...contradictions])
  test(`an authToken with ${what} is a mistake`, async (t) => {
    const lines = await mistakesOf(t, elements(changes))
    assertLines(lines, [new RegExp(`^authToken/theToken ${pattern.source}`)])
  })

const warned: readonly (readonly [string, Changes, RegExp])[] = [
  [
    'a header beside a body',
    { request: { credentialLocation: 'body', header: 'X-A', requestBody: { p: { password: true } } } },
    /tokenRequest: header has no effect: credentialLocation is body\./,
  ],
  [
    'a header beside named headers',
    { request: { header: 'X-A', userHeader: 'X-B', passwordHeader: 'X-C' } },
    /tokenRequest: header has no effect: userHeader and passwordHeader carry the credentials\./,
  ],
  [
    'the format of no body',
    { request: { bodyFormat: 'form' } },
    /tokenRequest: bodyFormat has no effect: there is no requestBody\./,
  ],
  [
    'a path beside a header',
    { response: { tokenLocation: 'header', header: 'X-A', tokenPath: 'a' } },
    /tokenResponse: tokenPath has no effect: tokenLocation is header\./,
  ],
  [
    'a format beside a header',
    { response: { tokenLocation: 'header', header: 'X-A', responseFormat: 'JSON' } },
    /tokenResponse: responseFormat has no effect: tokenLocation is header\./,
  ],
  [
    'a header beside a path',
    { response: { ...response, header: 'X-A' } },
    /tokenResponse: header has no effect: the token is in the body\./,
  ],
  [
    'the scope separator of its server',
    { server: { scopeSeparator: ',' } },
    /authServerRef: scopeSeparator of authorizationServer\/theServer has no effect here: only an oAuthConfig uses it\./,
  ],
  ['the token types of its server', { server: { tokenTypes: 'JWT' } }, /authServerRef: tokenTypes of /],
  [
    'parameters in the query of its server',
    { server: { parametersInQuery: 'tenant' } },
    /authServerRef: parametersInQuery of /,
  ],
  [
    'no credentials',
    { server: { basicAuthRef: undefined } },
    /jwtAuthenticationTokenRef: The request for the token has no credentials: everybody could make it\./,
  ],
  [
    'a password in the body as a text',
    { request: { requestBody: { a: [{ password: 'hunter2', b: 'c' }] } } },
    /tokenRequest: The name of the member password in requestBody suggests a secret\. (?!.*hunter2)/,
  ],
]

for (const [what, changes, pattern] of warned)
  test(`an authToken with ${what} draws a warning, which can be accepted`, async (t) => {
    const [attribute = ''] = /^\w+/.exec(pattern.source) ?? []
    assertLines(await linesOf(t, changes), [new RegExp(`^authToken/theToken ${pattern.source}`)])
    const acceptedWarnings = [attribute]
    assertLines(await linesOf(t, { ...changes, auth: { ...changes.auth, acceptedWarnings } }), [])
  })

test('a secret in the query of a token endpoint draws a warning, whatever the token is', async (t) => {
  const server = { tokenEndpoint: `${exampleIssuer}/token?tenant=t&api_key=hunter2` }
  const warning =
    /^authorizationServer\/theServer tokenEndpoint: The name of the query parameter api_key suggests a secret, and URLs get into logs\. (?!.*hunter2)/
  assertLines(await linesOf(t, { server }), [warning])
  assertLines(await findingsOf(t, exampleElements(exampleIssuer, { server })), [warning])
})

const right: readonly (readonly [string, Changes])[] = [
  ['a user in the body and the credentials in a header', { request: { requestBody: { for: { user: true } } } }],
  ['a member that is called user', { request: { requestBody: { user: { user: 'alice' } } } }],
  [
    'numbers and leaves in a form',
    {
      request: {
        credentialLocation: 'body',
        bodyFormat: 'form',
        requestBody: { a: 1, b: true, p: { password: true } },
      },
    },
  ],
  [
    'a secret in the body as its credential',
    {
      server: { basicAuthRef: undefined },
      request: { credentialLocation: 'body', requestBody: { key: { secret: 'tokenwell/local/key' } } },
    },
  ],
  [
    'a secret in a header of its server as its credential',
    { server: { basicAuthRef: undefined, headers: { 'X-Key': { secret: 'tokenwell/local/key' } } } },
  ],
  [
    'the end in the body and the token in a header',
    { response: { tokenLocation: 'header', header: 'X-A', responseFormat: 'JSON', expiresPath: 'end' } },
  ],
]
for (const [what, changes] of right)
  test(`an authToken with ${what} is right`, async (t) => {
    assert.deepEqual(await linesOf(t, changes), [])
  })

test('an authToken has a path as JSONPath or as names, and JSON is the format of a path', async (t) => {
  for (const tokenPath of ['$.data.token', 'data.token']) {
    const { grant } = await resolveConn(t, elements({ response: { tokenPath } }))
    assert(grant.type === 'authToken')
    assert.deepEqual(grant.response, { token: { in: 'json', path: ['data', 'token'] } })
  }
})

test('an authToken whose only credential is a client certificate authenticates by it, without a warning', async (t) => {
  const made = elements({ server: { basicAuthRef: undefined, sslCertsRef: 'theSsl' } })
  const withCertificate = {
    ...made,
    ssl: { ...made['ssl'], theSsl: { keyStoreRef: 'theIdentity' } },
    keyStore: { ...made['keyStore'], theIdentity: { location: 'tokenwell/local/identity' } },
  }
  const { clientAuthentication, grant, warnings } = await resolveConn(t, withCertificate)
  assert.deepEqual(clientAuthentication, { method: 'tls_client_auth' })
  assert(grant.type === 'authToken')
  assert.deepEqual(grant.request.credentials, { in: 'nowhere' })
  assert.deepEqual(
    warnings.filter(({ element }) => element?.kind === 'authToken'),
    [],
  )
})

for (const [where, request] of Object.entries({
  'a header': {},
  'two headers': { userHeader: 'X-User', passwordHeader: 'X-Password' },
  'the body': { credentialLocation: 'body', requestBody: { u: { user: true }, p: { password: true } } },
}))
  test(`the user and the password of a caller in ${where} draw no finding`, async (t) => {
    assert.deepEqual(await linesOf(t, byCaller(request)), [])
  })

test('credentialsFrom elements is the default', async (t) => {
  const of = async (changes: Changes) => (await resolveConn(t, elements(changes))).grant
  assert.deepEqual(await of({ request: { credentialsFrom: 'elements' } }), await of({}))
})
