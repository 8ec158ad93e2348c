import type { ElementChanges } from '../support/elements/elements.ts'
import {
  always,
  type Behaviour,
  type Expectation,
  type Family,
  fine,
  type HostileScript,
  hostileToken,
  remembered,
  repeated,
  token,
  unreadable,
} from './behaviour.ts'

/** A JWT that Tokenwell signs is the grant. The client does not authenticate. */
const ofGrant: Readonly<Record<string, ElementChanges>> = {
  'jwt-bearer': {
    oAuth: { grantType: 'jwt-bearer', assertionTokenRef: 'theTokenConfig', jwtAuthenticationTokenRef: undefined },
  },
  'token-exchange': {
    oAuth: {
      grantType: 'token-exchange',
      subjectTokenRef: 'theTokenConfig',
      actorTokenRef: 'theTokenConfig',
      requestedTokenType: 'access_token',
      jwtAuthenticationTokenRef: undefined,
    },
  },
}

const grantOf = (form: URLSearchParams) => form.get('assertion') ?? form.get('subject_token') ?? ''

const refusing =
  (members: (form: URLSearchParams) => Record<string, unknown>, status = 400): HostileScript =>
  ({ form }) => ({ status, body: { error: 'invalid_grant', ...members(form) } })

/** The same at each of these grants. */
const atEach = (name: string, script: HostileScript, expectation: Expectation): Behaviour[] =>
  Object.entries(ofGrant).map(([grant, changes]) => ({ name: `${grant}: ${name}`, script, changes, ...expectation }))

const exchange = (name: string, script: HostileScript, expectation: Expectation): Behaviour => ({
  name: `token-exchange: ${name}`,
  script,
  changes: ofGrant['token-exchange'] ?? {},
  ...expectation,
})

const issuedType = (type: unknown, expectation: Expectation): Behaviour =>
  exchange(
    `issued_token_type ${JSON.stringify(type)}`,
    always(() => fine({ issued_token_type: type })),
    expectation,
  )

const urn = (name: string) => `urn:ietf:params:oauth:token-type:${name}`

export const grants: Family = {
  title: 'Grants by assertion',
  behaviours: [
    ...atEach(
      'a token',
      always(() => fine()),
      token(),
    ),
    ...atEach(
      '400 with {"error":"invalid_grant"}',
      refusing(() => ({})),
      remembered(),
    ),
    ...atEach(
      '400 with {"error":"unsupported_grant_type"}',
      refusing(() => ({ error: 'unsupported_grant_type' })),
      remembered(),
    ),
    ...atEach(
      '401 with {"error":"invalid_client"}',
      refusing(() => ({ error: 'invalid_client' }), 401),
      remembered(),
    ),
    ...atEach(
      '400 with {"error":"consent_required"}',
      refusing(() => ({ error: 'consent_required' })),
      remembered(),
    ),
    ...atEach(
      '503',
      always(() => ({ status: 503 })),
      repeated,
    ),
    ...atEach(
      'error_description repeats the JWT',
      refusing((form) => ({ error_description: `bad ${grantOf(form)}` })),
      remembered(),
    ),
    ...atEach(
      'error_description repeats the JWT encoded twice',
      refusing((form) => ({ error_description: encodeURIComponent(encodeURIComponent(`${grantOf(form)}=`)) })),
      remembered(),
    ),
    ...atEach(
      'error_description repeats the whole request',
      refusing((form) => ({ error_description: `${form}` })),
      remembered(),
    ),
    ...atEach(
      'error repeats the beginning of the JWT',
      refusing((form) => ({ error: grantOf(form).slice(0, 64) })),
      unreadable,
    ),
    ...atEach('the JWT itself as access_token', ({ form }) => fine({ access_token: grantOf(form) }), unreadable),
    {
      name: 'client_credentials: the assertion of the client as access_token',
      script: ({ form }) => fine({ access_token: form.get('client_assertion') }),
      ...unreadable,
    },
    ...Object.entries(ofGrant).map(
      ([grant, changes]): Behaviour => ({
        name: `${grant}: the JWT in a member that callers get`,
        script: ({ form }) => fine({ instance_url: `https://localhost/?${grantOf(form)}` }),
        changes: { oAuth: { ...changes.oAuth, passOn: ['instance_url'] } },
        ...unreadable,
      }),
    ),
    ...atEach(
      'a token, a refresh_token and an id_token',
      always(() => fine({ refresh_token: hostileToken(), id_token: hostileToken() })),
      token(),
    ),
    exchange(
      'error_description repeats the actor token',
      refusing((form) => ({ error_description: `bad ${form.get('actor_token')}` })),
      remembered(),
    ),
    issuedType(urn('access_token'), token()),
    issuedType(urn('refresh_token'), unreadable),
    issuedType(urn('id_token'), unreadable),
    issuedType('access_token', token()),
    issuedType('', token()),
    issuedType(5, token()),
    issuedType([urn('access_token')], token()),
    issuedType(`${urn('access_token')}\r\nx: y`, token()),
    exchange(
      'token_type N_A',
      always(() => fine({ token_type: 'N_A', issued_token_type: urn('access_token') })),
      unreadable,
    ),
  ],
}
