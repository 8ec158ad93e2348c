import {
  always,
  type Behaviour,
  type Expectation,
  type Family,
  fine,
  fineText,
  hostileToken,
  token,
  unreadable,
} from './behaviour.ts'

const withMember = (name: string, members: () => Record<string, unknown>, expectation: Expectation): Behaviour => ({
  name,
  script: always(() => fine(members())),
  ...expectation,
})

const withToken = (name: string, accessToken: (token: string) => unknown, expectation = unreadable): Behaviour =>
  withMember(`access_token ${name}`, () => ({ access_token: accessToken(hostileToken()) }), expectation)

const withType = (name: string, tokenType: unknown, expectation = unreadable): Behaviour =>
  withMember(`token_type ${name}`, () => ({ token_type: tokenType }), expectation)

/** All members of the answer are inside a member of another name. */
const within = (name: string, member: string): Behaviour => ({
  name,
  script: always(() => ({ body: `{"${member}":${fineText()}}` })),
  ...unreadable,
})

const theSameToken = hostileToken()

export const tokens: Family = {
  title: 'Tokens',
  behaviours: [
    withToken('missing', () => undefined),
    withToken('null', () => null),
    withToken('an object', (value) => ({ value })),
    withToken('a list', (value) => [value]),
    withToken('a number', () => 5),
    withToken('empty', () => ''),
    withToken('with a line break', (value) => `${value}\r\nx: y`),
    withToken('with a NUL', (value) => `${value}\0`),
    withToken('with a tab', (value) => `${value}\t`),
    withToken('with a DEL', (value) => `${value}\x7f`),
    withToken('with a terminal escape sequence', (value) => `\x1b[2J${value}`),
    withToken('with a space', (value) => `a ${value}`),
    withToken('with a space at its end', (value) => `${value} `),
    withToken('with a character outside ASCII', (value) => `${value}\u00e4`),
    withToken('with half a surrogate pair', (value) => `${value}\ud800`),
    withToken('with a quote and a backslash', (value) => `${value}"\\`, token()),
    withToken('of 32 KB', (value) => value + 'x'.repeat(32_000), token()),
    withToken('of 1 MB', (value) => value + 'x'.repeat(1_000_000)),
    withMember(
      'access_token written Access_Token',
      () => ({ access_token: undefined, Access_Token: hostileToken() }),
      unreadable,
    ),
    within('all members inside a member data', 'data'),
    within('all members inside a member __proto__', '__proto__'),
    withMember('a token and a member __proto__', () => JSON.parse('{"__proto__":{"error":"invalid_client"}}'), token()),
    withMember(
      'a token and members constructor, toString and hasOwnProperty',
      () => ({ constructor: null, toString: 5, hasOwnProperty: 'x', toJSON: 'y' }),
      token(),
    ),
    withType('missing', undefined, token()),
    withType('null', null, token()),
    withType('empty', '', token()),
    withType('BearerToken', 'BearerToken', token()),
    withType('urn:ietf:params:oauth:token-type:bearer', 'urn:ietf:params:oauth:token-type:bearer', token()),
    withType('JWT', 'JWT'),
    { ...withType('JWT that the element lists', 'JWT', token()), changes: { server: { tokenTypes: ['JWT'] } } },
    withType('DPoP', 'DPoP'),
    withType('mac', 'mac'),
    withType('N_A', 'N_A'),
    withType('a list', ['Bearer'], token()),
    withType('with a space at its end', 'Bearer ', token()),
    withType('with a line break', 'Bearer\r\nx: y', token()),
    withType('bEARER', 'bEARER', token()),
    {
      name: 'token_type DPoP with a nonce',
      script: always(() => ({ ...fine({ token_type: 'DPoP' }), headers: { 'dpop-nonce': 'some-nonce' } })),
      ...unreadable,
    },
    withMember(
      'a token, a refresh_token and an id_token',
      () => ({ refresh_token: hostileToken(), id_token: hostileToken() }),
      token(),
    ),
    withMember('refresh_token an object', () => ({ refresh_token: { value: hostileToken() } }), token()),
    withMember('scope a number', () => ({ scope: 5 }), token()),
    withMember('scope with a line break', () => ({ scope: 'a\r\nb' }), token()),
    withMember('scope of 32 KB', () => ({ scope: 'x'.repeat(32_000) }), token()),
    withMember('a token and 20 MB of padding', () => ({ padding: 'x'.repeat(20_000_000) }), unreadable),
    {
      name: 'the same token again after it was rejected',
      script: always(() => fine({ access_token: theSameToken })),
      rejects: true,
      ...token(),
      again: '200, 300 s',
      requestsInAll: 2,
    },
  ],
}
