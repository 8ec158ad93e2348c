import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { tokensOf } from '../../../lib/configuration/connection.ts'
import {
  assertLines,
  exampleIssuer,
  findingsOf,
  mistakesOf,
  resolveAnyConn,
} from '../../support/elements/element-store.ts'
import { exampleElements, type RawElements } from '../../support/elements/elements.ts'

/* Which elements may authenticate the API calls of one connection together. */

interface Changes {
  readonly local?: Record<string, object>
  readonly user?: string
  readonly endpoint?: object
  readonly authToken?: Record<string, object>
}

/** An oAuthConfig, an authData and authTokenLocal elements. Those with these names authenticate the connection. */
function elementsWith(names: string | readonly string[], changes: Changes = {}): RawElements {
  const { local = {}, user = 'orders@example.com', endpoint = {}, authToken = {} } = changes
  const elements = exampleElements(exampleIssuer, {
    endpoint: { authenticationConfigRef: names, host: 'https://api.example.com', ...endpoint },
  })
  const jwt = (header?: string, more = {}) => ({
    tokenGeneratorRef: 'localBuilder',
    tokenSubject: 'orders',
    ...(header !== undefined && { header }),
    ...more,
  })
  return {
    ...elements,
    jwtBuilder: {
      ...elements['jwtBuilder'],
      localBuilder: { issuer: 'tokenwell', audiences: 'https://api.example.com', jwkEnabled: true, jti: false },
    },
    oAuthConfig: { ...elements['oAuthConfig'], second: { ...elements['oAuthConfig']?.['theConfig'] } },
    authTokenLocal: {
      main: jwt(),
      one: jwt('X-One'),
      two: jwt('X-Two'),
      ...Object.fromEntries(Object.entries(local).map(([id, more]) => [id, jwt(undefined, more)])),
    },
    authToken: Object.fromEntries(
      Object.entries(authToken).map(([id, more]) => [
        id,
        { authServerRef: 'theServer', tokenResponse: { tokenPath: 'token' }, ...more },
      ]),
    ),
    authData: {
      basic: { user, passwordSecret: 'tokenwell/local/basic' },
      other: { user, passwordSecret: 'tokenwell/local/b' },
    },
  }
}

async function summaryOf(t: TestContext, elements: RawElements) {
  const connection = await resolveAnyConn(t, elements)
  return {
    tokens: tokensOf(connection).map(({ authentication: { kind, id }, carrier }) => `${kind}/${id} ${carrier.header}`),
    basic: connection.api?.basicAuthentication?.id,
    warnings: connection.warnings.map(({ sentence }) => sentence),
  }
}

const allowed: readonly (readonly [string, string | readonly string[], readonly string[], string?])[] = [
  ['one oAuthConfig', 'theConfig', ['oAuthConfig/theConfig authorization']],
  ['one token', 'one', ['authTokenLocal/one x-one']],
  [
    'several tokens',
    ['one', 'main', 'two'],
    ['one x-one', 'main authorization', 'two x-two'].map((each) => `authTokenLocal/${each}`),
  ],
  [
    'one oAuthConfig and several tokens, whatever their order',
    ['one', 'theConfig', 'two'],
    ['oAuthConfig/theConfig authorization', 'authTokenLocal/one x-one', 'authTokenLocal/two x-two'],
  ],
  ['one authData', ['basic'], [], 'basic'],
  [
    'one authData and several tokens',
    ['basic', 'one', 'two'],
    ['authTokenLocal/one x-one', 'authTokenLocal/two x-two'],
    'basic',
  ],
]
for (const [title, names, tokens, basic] of allowed)
  test(`API calls may be authenticated by ${title}`, async (t) => {
    assert.deepEqual(await summaryOf(t, elementsWith(names)), { tokens, basic, warnings: [] })
  })

test('a connection with user and password only has callers, certificates and an alias like any other', async (t) => {
  const endpoint = { directInvocation: true, clientCertificateSubjects: 'C=DE,O=Example,CN=orders' }
  const connection = await resolveAnyConn(t, elementsWith('basic', { endpoint }))
  assert.deepEqual(connection.clientCertificateSubjects, ['C=DE,O=Example,CN=orders'])
  assert.deepEqual(tokensOf(connection), [])
  const warnings = await findingsOf(t, elementsWith('basic', { endpoint: { ...endpoint, warm: true } }))
  assert.match(
    warnings.join(),
    /endpointConnection\/conn warm: It has no effect: the connection has no token\. Take it out\./,
  )
})

test('an authData with the id of a token is not meant', async (t) => {
  const elements = elementsWith(['one'])
  const authData = { one: { user: 'u', passwordSecret: 'tokenwell/local/p' } }
  assert.deepEqual((await summaryOf(t, { ...elements, authData })).basic, undefined)
})

const refused: readonly (readonly [string, RawElements, readonly RegExp[]])[] = [
  [
    'two OAuth 2.0 tokens',
    elementsWith(['theConfig', 'second']),
    [
      /^endpointConnection\/conn authenticationConfigRef: It names oAuthConfig\/theConfig and oAuthConfig\/second, but API calls have one/,
    ],
  ],
  [
    'an OAuth 2.0 token and basic authentication',
    elementsWith(['theConfig', 'one', 'basic']),
    [
      /^endpointConnection\/conn authenticationConfigRef: It names oAuthConfig\/theConfig and authData\/basic, but API calls have one/,
    ],
  ],
  [
    'two users',
    elementsWith(['basic', 'other']),
    [
      /^endpointConnection\/conn authenticationConfigRef: It names authData\/basic and authData\/other, but API calls have one/,
    ],
  ],
  [
    'one element twice',
    elementsWith(['one', 'two', 'one']),
    [/authenticationConfigRef: It names one twice\. Keep one of them\.$/],
  ],
  [
    'an id of two tokens',
    elementsWith(['one'], { authToken: { one: { header: 'X-Other' } } }),
    [
      /authenticationConfigRef: The id one may be authToken\/one or authTokenLocal\/one\. Give the elements different ids\.$/,
    ],
  ],
  [
    'two tokens in one header, in any case of letters',
    elementsWith(['one', 'same'], { local: { same: { header: 'x-ONE' } } }),
    [
      /^authTokenLocal\/same header: API calls have the credentials of authTokenLocal\/one in the header x-one already\./,
    ],
  ],
  [
    'two headers that some servers read as one',
    elementsWith(['one', 'same'], { local: { same: { header: 'X_One' } } }),
    [/^authTokenLocal\/same header: Some servers read x_one as x-one, the header of authTokenLocal\/one\./],
  ],
  [
    'an OAuth 2.0 token and another token in Authorization',
    elementsWith(['main', 'theConfig']),
    [
      /^authTokenLocal\/main header: API calls have the credentials of oAuthConfig\/theConfig in the header authorization already\./,
    ],
  ],
  [
    'a user and a token in Authorization',
    elementsWith(['main', 'basic']),
    [
      /^authTokenLocal\/main header: API calls have the credentials of authData\/basic in the header authorization already\./,
    ],
  ],
  [
    'a user without an API',
    elementsWith(['basic', 'one'], { endpoint: { host: undefined } }),
    [
      /^endpointConnection\/conn host: It is required: authData\/basic is basic authentication, which only API calls have\./,
    ],
  ],
  [
    'a user with a colon',
    elementsWith(['basic'], { user: 'a:b' }),
    [
      /authenticationConfigRef: The user of authData\/basic has a colon: the API would read the rest as password \(RFC 7617/,
    ],
  ],
  [
    'a user with a line break',
    elementsWith(['basic'], { user: 'a\nb' }),
    [/authenticationConfigRef: The user of authData\/basic has a line break or another control character/],
  ],
  [
    'more than eight elements',
    elementsWith([...'abcdefghi'], {
      local: Object.fromEntries([...'abcdefghi'].map((id) => [id, { header: `X-${id}` }])),
    }),
    [/authenticationConfigRef: It names 9 elements, but an API call has at most 8 credentials\./],
  ],
  ...['main,one', 'main one', ['main, one']].map(
    (named) =>
      [
        `ids that ${JSON.stringify(named)} separates as server.xml does`,
        elementsWith(named),
        [
          /authenticationConfigRef: It must be .* a list of ids such as \["myConfig", "myToken"\]\. A comma or a blank does not separate ids\. The value is (another text|a list)\.$/,
        ],
      ] as const,
  ),
  ['an empty list', elementsWith([]), [/authenticationConfigRef: It must be the id of one element, or a list of ids/]],
]
for (const [title, elements, patterns] of refused)
  test(`API calls are not authenticated by ${title}`, async (t) => {
    assertLines(await mistakesOf(t, elements), patterns)
  })

test('no token is in a header that a server reads for another purpose', async (t) => {
  const headers = [
    'host',
    'Content-Type',
    'cookie',
    'via',
    'Forwarded',
    'X-Forwarded-For',
    'x-amzn-trace-id',
    'TE',
    'If-Match',
  ]
  for (const header of [...headers, 'user-agent', 'Proxy-Authorization', 'x-amz-date']) {
    const elements = elementsWith(['bad'], { local: { bad: { header } } })
    assertLines(await mistakesOf(t, elements), [
      new RegExp(`^authTokenLocal/bad header: The header ${header} can't carry a token: .*\\. Name another header\\.$`),
    ])
  }
})

test('a text that is not the name of a header gets the characters of such a name', async (t) => {
  const elements = elementsWith(['bad'], { local: { bad: { header: 'two words' } } })
  assertLines(await mistakesOf(t, elements), [
    /^authTokenLocal\/bad header: A header name may have only letters, digits and .* \(RFC 9110\)\.$/,
  ])
})

test('tokenRetryCheckLevel 3 gets a warning beside a bearer token in Authorization, and only there', async (t) => {
  const local = { third: { header: 'X-Third', tokenRetryCheckLevel: 3 } }
  const warning =
    /^authTokenLocal\/third tokenRetryCheckLevel: The value 3 has hardly any effect beside oAuthConfig\/theConfig/
  assertLines(
    (await findingsOf(t, elementsWith(['theConfig', 'third'], { local }))).filter((line) => /Level/.test(line)),
    [warning],
  )
  for (const names of [['basic', 'third'], ['third'], ['one', 'third']])
    assert.deepEqual((await summaryOf(t, elementsWith(names, { local }))).warnings, [])
})
