import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type ElementChanges, exampleElements } from '../../support/elements/elements.ts'
import {
  startIssueTokenWithScriptedServer,
  tokenAnswer,
} from '../../support/functions/issue-token-with-scripted-server.ts'
import { type HttpRequest, tokenRequest } from '../../support/functions/load-function.ts'

const json = (body: string): HttpRequest => ({
  method: 'POST',
  path: '/connections/conn/token',
  headers: { 'Content-Type': 'application/json; charset=utf-8' },
  body,
})

const ofUsers: ElementChanges = { oAuth: { grantType: 'password' } }
const takesAll: ElementChanges = {
  oAuth: { requestMay: { scope: true, resource: true, audience: true, tenant: true, ['__proto__']: true } },
}

/* Mistakes of callers: a clear 4xx that names the parameter, and no token request. */
const mistakes: readonly (readonly [what: string, request: HttpRequest, named: RegExp, changes?: ElementChanges])[] = [
  ['a form of 1 MB', tokenRequest('conn', `a=${'x'.repeat(1_000_000)}`), /^body .*64 KiB/],
  ['bytes that are not UTF-8', tokenRequest('conn', Buffer.from([0x61, 0x3d, 0xff])), /^body .*UTF-8/],
  ['percent-encoded bytes that are not UTF-8', tokenRequest('conn', 'scope=%ff'), /^body .*UTF-8/],
  ['a connection that steps out', tokenRequest('..'), /^connection /],
  ['a connection with a blank', tokenRequest('a b'), /^connection /],
  ['scope twice', tokenRequest('conn', 'scope=a&scope=b'), /^scope is sent more than once\./],
  ['another parameter twice', tokenRequest('conn', 'tenant=a&tenant=a'), /^tenant is sent more than once\./],
  ['a user name for client_credentials', tokenRequest('conn', 'username=alice'), /^username /],
  ['a password for client_credentials', tokenRequest('conn', 'password=x'), /^password /],
  ['a scope with a quotation mark', tokenRequest('conn', 'scope=%22'), /^scope /],
  ['a resource that is relative', tokenRequest('conn', 'resource=/a'), /^resource /],
  ['a resource with a fragment', tokenRequest('conn', 'resource=https://a.example/%23b'), /^resource /],
  ['a name with a blank', tokenRequest('conn', 'a%20b=c'), /^a parameter /],
  ['a name with a blank beside a right one', tokenRequest('conn', 'tenant=x&a%20b=c'), /^a parameter /],
  ['a name with a blank twice', tokenRequest('conn', 'a%20b=c&a%20b=d'), /^a parameter has a name/],
  ['a name with a bracket, without a value', tokenRequest('conn', 'scope[]='), /^a parameter has a name/],
  [
    '101 parameters',
    tokenRequest('conn', Array.from({ length: 101 }, (_, index) => `a${index}b=c`).join('&')),
    /^request has more/,
  ],
  ['JSON in a form', tokenRequest('conn', '{"scope":"a"}'), /^body looks like JSON\. .*application\/json/],
  ['JSON in a form, with = and &', tokenRequest('conn', ' {"scope":"a=b&c"}'), /^body looks like JSON/],
  ['JSON in a form, encoded', tokenRequest('conn', '%7B%22scope%22%3A%22a%22%7D'), /^body looks like JSON/],
  ['a list of JSON in a form, after a BOM', tokenRequest('conn', '\ufeff["a"]'), /^body looks like JSON/],
  [
    'a user name of two lines',
    tokenRequest('conn', 'username=a%0Ab&password=x'),
    /^username contains a line break/,
    ofUsers,
  ],
  ['a password with a NUL', tokenRequest('conn', 'username=a&password=x%00'), /^password contains a control/, ofUsers],
  ['an audience with half a character', json('{"audience":"\\ud800"}'), /^audience contains a control/],
  [
    'a control character',
    tokenRequest('conn', 'tenant=%01'),
    /^tenant contains a control/,
    { oAuth: { requestMay: { tenant: true } } },
  ],
  [
    'a query that belongs in the body',
    tokenRequest('conn', '', 'tenant=a'),
    /^tenant belongs in the body/,
    { oAuth: { parameters: { tenant: 'a' } } },
  ],
  ['a near miss in the query', tokenRequest('conn', '', 'rejectedTokenId=x'), /^rejectedTokenId .*rejected_token_id/],
  [
    'two names that PHP reads as one',
    tokenRequest('conn', 'tenant.id=a&tenant_id=b'),
    /^tenant.id and tenant_id are the same name/,
  ],
  ['one name in body and query', tokenRequest('conn', 'trace=a', 'Trace=b'), /^trace and Trace are the same name/],
  ['a name of 129 characters', tokenRequest('conn', `${'x'.repeat(129)}=c`), /^a parameter has a name/],
  ['rejected_token_id in the body', tokenRequest('conn', 'rejected_token_id=x'), /^rejected_token_id .*query/],
  [
    'minimum_seconds of ten digits',
    tokenRequest('conn', '', 'minimum_seconds=1000000000'),
    /^minimum_seconds must be a whole number/,
  ],
  ['JSON with a list that is no scope or resource', json('{"audience":["a"]}'), /^audience must be a string/],
  ['minimum_seconds in the body', tokenRequest('conn', 'minimum_seconds=1'), /^minimum_seconds .*query/],
  ['minimum_seconds that is no number', tokenRequest('conn', '', 'minimum_seconds=1.5'), /^minimum_seconds /],
  ['a rejected_token_id that is none', tokenRequest('conn', '', 'rejected_token_id=x'), /^rejected_token_id /],
  ['an unknown query parameter', tokenRequest('conn', '', 'scope=a'), /^query /],
  ['JSON that is none', json('{"scope":'), /^body is not valid JSON/],
  ['JSON that is a list', json('[]'), /^body /],
  ['JSON with a name twice', json('{"scope":"a","scope":"b"}'), /^body .*occurs twice/],
  ['JSON with a number', json('{"audience":1}'), /^audience /],
  ['JSON with an object as scope', json('{"scope":{}}'), /^scope /],
  [
    'a body of another type',
    { ...tokenRequest('conn', 'a=b'), headers: { 'content-type': 'text/xml' } },
    /^content-type /,
  ],
  ['more than the element allows: scope', tokenRequest('conn', 'scope=a+c'), /^scope /, { oAuth: { scope: 'a b' } }],
  [
    'more than the element allows: resource',
    tokenRequest('conn', 'resource=https://b.example'),
    /^resource /,
    { oAuth: { resource: 'https://a.example' } },
  ],
  [
    'another audience than the element sets',
    tokenRequest('conn', 'audience=b'),
    /^audience /,
    { oAuth: { audience: 'a' } },
  ],
  [
    'another value of a parameter that the element sets',
    tokenRequest('conn', 'tenant=b'),
    /^tenant /,
    { oAuth: { parameters: { tenant: 'a' } } },
  ],
  [
    'what requestMay leaves out',
    tokenRequest('conn', 'scope=a'),
    /^scope /,
    { oAuth: { requestMay: { tenant: true } } },
  ],
  [
    'another value than requestMay lists',
    tokenRequest('conn', 'tenant=c'),
    /^tenant /,
    { oAuth: { requestMay: { tenant: ['a', 'b'] } } },
  ],
  [
    'no user name for password',
    tokenRequest('conn', 'password=x'),
    /^username is missing/,
    { oAuth: { grantType: 'password' } },
  ],
  [
    'no password for password',
    tokenRequest('conn', 'username=a'),
    /^password is missing/,
    { oAuth: { grantType: 'password' } },
  ],
  [
    'a user whom requestMay leaves out',
    tokenRequest('conn', 'username=bob&password=x'),
    /^username /,
    { oAuth: { grantType: 'password', requestMay: { username: ['alice'] } } },
  ],
]

for (const [what, request, named, changes] of mistakes)
  test(`${what}: a 400 that names it, and no token request`, async (t) => {
    const set = await startIssueTokenWithScriptedServer(
      t,
      (issuer) => exampleElements(issuer, changes),
      () => tokenAnswer(),
    )
    const got = await set.http(request)
    assert.equal(got.status, 400, JSON.stringify(got.body))
    assert.equal(got.body['error'], 'invalid_request')
    assert.match(String(got.body['error_description']), named)
    assert.equal(set.requests.length, 0)
  })

interface Sent {
  readonly what: string
  readonly request: HttpRequest
  readonly changes?: ElementChanges
  /** The parameters that the token endpoint gets, besides grant_type and the assertion. */
  readonly form: readonly (readonly [string, string])[]
}

const sent: readonly Sent[] = [
  { what: 'an empty body', request: tokenRequest('conn'), form: [] },
  { what: 'its own grant type', request: tokenRequest('conn', 'grant_type=client_credentials'), form: [] },
  {
    what: 'parameters of a form',
    request: tokenRequest('conn', 'scope=a+b&audience=x&tenant=%C3%A4&empty='),
    changes: takesAll,
    form: [
      ['scope', 'a b'],
      ['audience', 'x'],
      ['tenant', 'ä'],
    ],
  },
  {
    what: 'a value with = and a scope with blanks to spare',
    request: tokenRequest('conn', 'scope=+a++b+&tenant=a=b=&empty'),
    changes: takesAll,
    form: [
      ['scope', 'a b'],
      ['tenant', 'a=b='],
    ],
  },
  {
    what: 'a scope of blanks alone counts as left out',
    request: tokenRequest('conn', 'scope=++'),
    changes: { oAuth: { scope: 'a b' } },
    form: [['scope', 'a b']],
  },
  {
    what: 'a form whose type is written in its own way',
    request: {
      ...tokenRequest('conn', 'tenant=x'),
      headers: { 'content-type': 'Application/X-WWW-Form-URLencoded ; charset=UTF-8' },
    },
    changes: takesAll,
    form: [['tenant', 'x']],
  },
  {
    what: 'all but 8 KiB',
    request: tokenRequest('conn', `tenant=${'x'.repeat(8_100)}`),
    changes: takesAll,
    form: [['tenant', 'x'.repeat(8_100)]],
  },
  {
    what: 'several resources',
    request: tokenRequest('conn', 'resource=https://a.example&resource=urn:b'),
    form: [
      ['resource', 'https://a.example'],
      ['resource', 'urn:b'],
    ],
  },
  {
    what: 'parameters of JSON',
    request: json('{"scope":["a","b"],"resource":["urn:a","urn:b"],"tenant":"x","__proto__":"y"}'),
    changes: takesAll,
    form: [
      ['scope', 'a b'],
      ['resource', 'urn:a'],
      ['resource', 'urn:b'],
      ['tenant', 'x'],
      ['__proto__', 'y'],
    ],
  },
  {
    what: "a caller's client id and its authentication: dropped",
    request: tokenRequest('conn', 'client_id=mine&client_secret=s&client_assertion=a&client_assertion_type=t'),
    form: [],
  },
  {
    what: 'what the element sets',
    request: tokenRequest('conn'),
    changes: { oAuth: { scope: 'a b', resource: 'urn:a', audience: 'x', parameters: { tenant: 't' } } },
    form: [
      ['scope', 'a b'],
      ['resource', 'urn:a'],
      ['audience', 'x'],
      ['tenant', 't'],
    ],
  },
  {
    what: 'a part of what the element sets, and the same again',
    request: tokenRequest('conn', 'scope=b&audience=x&tenant=t'),
    changes: { oAuth: { scope: ['a', 'b'], audience: 'x', parameters: { tenant: 't' } } },
    form: [
      ['scope', 'b'],
      ['audience', 'x'],
      ['tenant', 't'],
    ],
  },
  {
    what: 'what requestMay allows beside what the element sets',
    request: tokenRequest('conn', 'scope=c&tenant=any'),
    changes: { oAuth: { scope: 'a', requestMay: { scope: ['b', 'c'], tenant: true } } },
    form: [
      ['scope', 'c'],
      ['tenant', 'any'],
    ],
  },
  {
    what: 'of what nobody knows nothing',
    request: tokenRequest('conn', 'x-client-SKU=msal.js.node&client_info=1&scope=a', 'client-request-id=x'),
    form: [['scope', 'a']],
  },
  {
    what: 'the client id, where the element says so: that of the assertion',
    request: tokenRequest('conn', 'client_id=mine'),
    changes: { oAuth: { jwtAuthenticationSetClientId: 'true' } },
    form: [['client_id', 'theClient']],
  },
  {
    what: 'what requestMay lists, and no name that only an object of JavaScript has',
    request: tokenRequest('conn', 'constructor=x&trace=1&tenant=a'),
    changes: { oAuth: { requestMay: { tenant: true } } },
    form: [['tenant', 'a']],
  },
  {
    what: 'user name and password',
    request: tokenRequest('conn', 'username=alice&password=p%26%3D%2B'),
    changes: { oAuth: { grantType: 'password' } },
    form: [
      ['username', 'alice'],
      ['password', 'p&=+'],
    ],
  },
]

for (const { what, request, changes, form } of sent)
  test(`what goes to the token endpoint: ${what}`, async (t) => {
    const set = await startIssueTokenWithScriptedServer(
      t,
      (issuer) => exampleElements(issuer, changes),
      () => tokenAnswer(),
    )
    const got = await set.http(request)
    assert.equal(got.status, 200, JSON.stringify(got.body))
    const [received] = set.requests
    assert.ok(received)
    const own = ['grant_type', 'client_assertion', 'client_assertion_type']
    assert.deepEqual(
      [...received.form].filter(([name]) => !own.includes(name)),
      form,
    )
    for (const name of own) assert.equal(received.form.getAll(name).length, 1, `${name} stands once`)
    assert.match(String(received.form.get('client_assertion')), /^eyJ/)
    assert.match(String(received.form.get('client_assertion_type')), /^urn:ietf:params:oauth:client-assertion-type:/)
    assert.equal(received.form.get('grant_type'), changes?.oAuth?.['grantType'] ?? 'client_credentials')
    assert.equal(received.headers.authorization, undefined)
  })

test('the query of the token endpoint is kept as written', async (t) => {
  const set = await startIssueTokenWithScriptedServer(
    t,
    (issuer) => exampleElements(issuer, { server: { tokenEndpoint: `${issuer}/a%2Fb/token?tenant=x&y=%20` } }),
    () => tokenAnswer(),
  )
  assert.equal((await set.http(tokenRequest('conn'))).status, 200)
  assert.equal(set.requests[0]?.url, '/a%2Fb/token?tenant=x&y=%20')
})

test('a client secret goes into the Authorization header, form-encoded (RFC 6749 section 2.3.1)', async (t) => {
  const set = await startIssueTokenWithScriptedServer(
    t,
    (issuer) => ({
      ...exampleElements(issuer, {
        server: { basicAuthRef: 'theData' },
        oAuth: { jwtAuthenticationTokenRef: undefined },
      }),
      authData: { theData: { user: 'the client:1', passwordSecret: 'tokenwell/local/the-password' } },
    }),
    () => tokenAnswer(),
  )
  assert.equal((await set.http(tokenRequest('conn'))).status, 200)
  const [received] = set.requests
  const [scheme, pair = ''] = received?.headers.authorization?.split(' ') ?? []
  assert.equal(scheme, 'Basic')
  assert.match(Buffer.from(pair, 'base64').toString(), /^the\+client%3A1:[\w-]+$/)
  assert.deepEqual([...(received?.form ?? [])], [['grant_type', 'client_credentials']])
})
