import fc from 'fast-check'
import { connectionNames, isOfUsers, passwords, userNames } from '../support/functions/access-matrix.ts'
import { mostly, mostlyWhole, oddJson, oddText, oddValue } from './hostile-values.ts'

/*
 * Events of an HTTP API, payload format 2.0. Most of their parts are valid, so that the code behind an odd part is
 * reached.
 */

const connection: fc.Arbitrary<string> = fc.oneof(
  { weight: 20, arbitrary: fc.constantFrom(...connectionNames) },
  { weight: 1, arbitrary: fc.constantFrom('broken', 'nowhere') },
  { weight: 1, arbitrary: oddText },
)

/** A parameter's values. Most events lack it. */
const seldom = (...values: string[]) =>
  fc.oneof(
    { weight: 3, arbitrary: fc.constant<string[]>([]) },
    { weight: 1, arbitrary: fc.constantFrom(...values).map((value) => [value]) },
  )

const none = fc.constant<[string, string][]>([])
const rightUser = fc.constantFrom(...userNames).map((name): [string, string][] => [
  ['username', name],
  ['password', passwords.get(name) ?? ''],
])
/** Combines Alice's password with Bob's name too. */
const oddUser = fc
  .tuple(fc.constantFrom(...userNames, 'alice\0', 'ALICE'), fc.constantFrom(...passwords.values(), '', 'x'))
  .map(([username, password]): [string, string][] => [
    ['username', username],
    ['password', password],
  ])
const userFor = (name: string) =>
  fc.oneof(
    { weight: 14, arbitrary: isOfUsers(name) ? rightUser : none },
    { weight: 1, arbitrary: none },
    { weight: 1, arbitrary: oddUser },
  )

/** The requested values, by name. */
function parametersFor(name: string): fc.Arbitrary<[string, string][]> {
  const named = fc.record({
    scope: seldom('a', 'b', 'b a', 'a b', 'a  a'),
    resource: fc.oneof(seldom('urn:a', 'urn:b'), fc.constant<string[]>(['urn:b', 'urn:a'])),
    audience: seldom('x', 'y', ''),
    tenant: name === 'stock' ? seldom('north') : seldom('north', 'south'),
  })
  const odd = fc.array(fc.tuple(fc.oneof(oddText, fc.constantFrom('scope', 'resource', 'tenant')), oddText), {
    minLength: 1,
    maxLength: 2,
  })
  return fc
    .tuple(userFor(name), named, fc.oneof({ weight: 14, arbitrary: none }, { weight: 1, arbitrary: odd }))
    .map(([user, values, further]) => [
      ...user,
      ...Object.entries(values).flatMap(([each, given]) => given.map((value): [string, string] => [each, value])),
      ...further,
    ])
}

const oddBody = fc.record({
  type: fc.constantFrom('application/x-www-form-urlencoded', 'application/json', 'text/xml', ''),
  text: fc.oneof(oddJson, oddText),
})

function contentFor(name: string): fc.Arbitrary<{ readonly type: string; readonly text: string }> {
  const sane = fc.tuple(parametersFor(name), fc.boolean()).map(([pairs, isJson]) =>
    isJson
      ? { type: 'application/json; charset=utf-8', text: JSON.stringify(membersOf(pairs)) }
      : {
          type: 'application/x-www-form-urlencoded',
          text: new URLSearchParams(
            pairs.map(([each, value]): [string, string] => [each.toWellFormed(), value.toWellFormed()]),
          ).toString(),
        },
  )
  return fc.oneof({ weight: 12, arbitrary: sane }, { weight: 1, arbitrary: oddBody })
}

/** A name that occurs twice gets a list. */
function membersOf(pairs: readonly [string, string][]): object {
  const names = [...new Set(pairs.map(([name]) => name))]
  return Object.fromEntries(
    names.map((name) => {
      const values = pairs.filter(([each]) => each === name).map(([, value]) => value)
      return [name, values.length === 1 ? values[0] : values]
    }),
  )
}

/** As text, as base64, as broken base64, or with a wrong flag for base64. */
const bodyFor = (name: string) =>
  fc
    .record({
      content: contentFor(name),
      how: fc.oneof(
        { weight: 20, arbitrary: fc.constantFrom('text', 'base64') },
        { weight: 1, arbitrary: fc.constantFrom('broken', 'base64 as text', 'text as base64', 'none') },
      ),
    })
    .map(({ content: { type, text }, how }) => {
      const base64 = Buffer.from(text).toString('base64')
      const isBase64Encoded = how === 'base64' || how === 'broken' || how === 'text as base64'
      if (how === 'none') return { type, isBase64Encoded: false }
      const written = how === 'broken' ? `%${base64.slice(0, -3)}=*` : base64
      return { type, body: how.startsWith('text') ? text : written, isBase64Encoded }
    })

const headerName = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.constantFrom(
      'accept',
      'Authorization',
      'authorization',
      'host',
      'Host',
      'connection',
      'Content-Length',
      'transfer-encoding',
      'expect',
      'upgrade',
      'cookie',
      'x-forwarded-host',
      'if-none-match',
      'content-type',
      '__proto__',
      'x-a',
      'x-http-method-override',
    ),
  },
  { weight: 1, arbitrary: fc.constant(':authority') },
  { weight: 1, arbitrary: oddText.filter((name) => name.length < 1_000) },
)
const headerValue = fc.oneof(
  {
    weight: 24,
    arbitrary: fc.constantFrom(
      'x',
      '',
      '*',
      'chunked',
      '100-continue',
      'evil.example',
      'Bearer evil',
      'a, b',
      '\u00e9',
      '5',
    ),
  },
  { weight: 2, arbitrary: oddText.filter((value) => value.length < 1_000) },
  {
    weight: 1,
    arbitrary: fc.constantFrom<unknown>(
      'x\r\nx-injected: 1',
      ['x', 'y\r\nx-injected: 1'],
      5,
      null,
      undefined,
      {},
      true,
    ),
  },
)
const headers = fc
  .array(fc.tuple(headerName, headerValue), { maxLength: 3 })
  .map((pairs): Record<string, unknown> => Object.fromEntries(pairs))

/** Lists of connections as issuers write them, no list, and values that are not a list. */
const claim = fc.oneof(
  fc.constantFrom(connectionNames.join(' '), `[${connectionNames.join(' ')}]`),
  fc.constantFrom(...connectionNames),
  fc.subarray([...connectionNames]).map((names) => names.join(' ')),
  fc.subarray([...connectionNames]).map((names) => `[${names.join(' ')}]`),
  fc.subarray([...connectionNames]).map((names) => JSON.stringify(names)),
  fc.subarray([...connectionNames]),
  oddValue,
)
const authorizer = mostly(
  mostlyWhole({
    jwt: mostly(mostlyWhole({ claims: mostly(mostlyWhole({ connections: claim, sub: fc.constant('x') })) })),
  }),
)

const query = fc.oneof(
  { weight: 12, arbitrary: fc.constant('') },
  {
    weight: 3,
    arbitrary: fc.constantFrom(
      'minimum_seconds=60',
      'minimum_seconds=1000000',
      'minimum_seconds=-1',
      'authentication=orders',
      'authentication=stock',
      'authentication=theUser',
      'authentication=__proto__',
      'auth=stock',
      'a=b',
      '&&',
      'a=%zz',
    ),
  },
  { weight: 1, arbitrary: oddText },
)

/** A placeholder in a query. The test replaces it with the id of a token that was handed out. */
export const someTokenId = 'TOKEN_ID'
const unknownTokenId = 'AAAAAAAAAAAAAAAAAAAAAA'

function httpEvent(
  method: fc.Arbitrary<string>,
  path: fc.Arbitrary<{ readonly path: string; readonly connection: string }>,
  queries: fc.Arbitrary<string>,
): fc.Arbitrary<unknown> {
  return fc
    .record({ method, at: path, query: queries, headers, authorizer, hasParameters: fc.boolean() })
    .chain((given) => bodyFor(given.at.connection).map((body) => ({ ...given, body })))
    .chain(({ at, hasParameters, ...given }) => {
      const { type, ...content } = given.body
      const odd = mostlyWhole({
        version: mostly(fc.constant('2.0'), 120),
        routeKey: fc.constant('$default'),
        rawPath: mostly(fc.constant(at.path), 120),
        rawQueryString: mostly(fc.constant(given.query), 120),
        headers: mostly(fc.constant({ ...(type !== '' && { 'Content-Type': type }), ...given.headers }), 120),
        ...(hasParameters && { pathParameters: mostly(fc.constant({ connection: at.connection }), 120) }),
        ...(content.body !== undefined && { body: mostly(fc.constant(content.body), 120) }),
        isBase64Encoded: mostly(fc.constant(content.isBase64Encoded), 120),
        cookies: fc.oneof(
          { weight: 20, arbitrary: fc.constant(undefined) },
          {
            weight: 2,
            arbitrary: fc.array(
              oddText.filter((each) => each.length < 1_000),
              { maxLength: 2 },
            ),
          },
          { weight: 1, arbitrary: oddValue },
        ),
        requestContext: mostly(
          mostlyWhole({
            http: mostly(
              mostlyWhole({ method: mostly(fc.constant(given.method), 120), path: mostly(fc.constant(at.path), 120) }),
              60,
            ),
            stage: mostly(fc.constantFrom('$default', 'v1'), 120),
            authorizer: fc.constant(given.authorizer),
          }),
          120,
        ),
      })
      return odd
    })
}

const methods = fc.constantFrom(
  'GET',
  'HEAD',
  'POST',
  'PUT',
  'PATCH',
  'DELETE',
  'OPTIONS',
  'TRACE',
  'CONNECT',
  'post',
  '',
)
const on = (form: (connection: string) => string) => connection.map((name) => ({ connection: name, path: form(name) }))

const issuing = httpEvent(
  fc.oneof({ weight: 20, arbitrary: fc.constant('POST') }, { weight: 1, arbitrary: methods }),
  on((name) => `/connections/${name}/token`),
  fc.oneof(
    { weight: 9, arbitrary: query },
    { weight: 1, arbitrary: fc.constantFrom(...[someTokenId, unknownTokenId].map((id) => `rejected_token_id=${id}`)) },
  ),
)
const dropping = httpEvent(
  fc.constant('DELETE'),
  on((name) => `/connections/${name}/token`),
  fc.constantFrom(...[someTokenId, unknownTokenId, '', 'x'].map((id) => `token_id=${id}`)),
)
const listing = httpEvent(
  methods,
  fc.constantFrom('/connections', '/connections/', '/', '').map((path) => ({ path, connection: 'orders' })),
  query,
)
const odd = httpEvent(
  methods,
  fc.tuple(oddText, connection).map(([path, name]) => ({ path, connection: name })),
  query,
)

const oddMembers = fc.array(fc.tuple(oddText, oddValue), { maxLength: 1 })
const direct = fc.oneof(
  {
    weight: 10,
    arbitrary: connection.chain((name) =>
      fc
        .tuple(
          parametersFor(name),
          fc.oneof({ weight: 8, arbitrary: fc.constant([]) }, { weight: 1, arbitrary: oddMembers }),
        )
        .map(([pairs, odder]): unknown => ({ ...Object.fromEntries(odder), ...membersOf(pairs), connection: name })),
    ),
  },
  { weight: 1, arbitrary: oddValue },
)

/** Events for issue-token. */
export const tokenEvent: fc.Arbitrary<unknown> = fc.oneof(
  { weight: 20, arbitrary: issuing },
  { weight: 2, arbitrary: dropping },
  { weight: 1, arbitrary: listing },
  { weight: 1, arbitrary: odd },
  { weight: 8, arbitrary: direct },
)

const below = fc.oneof(
  { weight: 12, arbitrary: fc.constantFrom('/', '/items/42', '/a b/é', '/a//b') },
  { weight: 1, arbitrary: oddText.map((text) => `/${text}`) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      '/../stock/',
      '//evil.example/',
      '/..;/stock',
      '/\uff0e\uff0e/stock',
      '/x/connections/stock/api/',
    ),
  },
)

/** Events for call-api. */
export const callEvent: fc.Arbitrary<unknown> = fc.oneof(
  {
    weight: 20,
    arbitrary: httpEvent(
      fc.oneof(
        { weight: 10, arbitrary: fc.constantFrom('GET', 'POST', 'PUT', 'HEAD', 'DELETE', 'OPTIONS', 'PATCH') },
        { weight: 1, arbitrary: methods },
      ),
      fc
        .tuple(
          fc.oneof({ weight: 3, arbitrary: fc.constantFrom('orders', 'stock') }, { weight: 1, arbitrary: connection }),
          below,
        )
        .map(([name, path]) => ({ connection: name, path: `/connections/${name}/api${path}` })),
      query,
    ),
  },
  { weight: 1, arbitrary: odd },
  { weight: 1, arbitrary: direct },
)

/** Events for publish-keys. */
export const keysEvent: fc.Arbitrary<unknown> = fc.oneof(
  {
    weight: 6,
    arbitrary: httpEvent(
      fc.oneof({ weight: 10, arbitrary: fc.constant('GET') }, { weight: 1, arbitrary: methods }),
      fc
        .oneof(fc.constantFrom('theBuilder', 'nothing'), oddText)
        .map((name) => ({ connection: name, path: `/jwt/${name}/jwk` })),
      query,
    ),
  },
  { weight: 1, arbitrary: odd },
  { weight: 1, arbitrary: oddValue },
)
