import { randomBytes } from 'node:crypto'
import type { TestContext } from 'node:test'
import { decodeJwt } from 'jose'
import { exampleElements, type RawElements } from '../elements/elements.ts'
import { plant } from '../output/canary.ts'
import { type ScriptedApi, startScriptedApi, trustApi } from '../servers/scripted-api.ts'
import { bearerOf } from './call-api-with-scripted-servers.ts'
import {
  type IssueTokenWithScriptedServer,
  type ScriptedAnswer,
  startIssueTokenWithScriptedServer,
} from './issue-token-with-scripted-server.ts'
import { type Handler, loadFunction } from './load-function.ts'

/** Two use client_credentials and two the password grant. `stock` and `staff` limit what a request may ask for. */
export const connectionNames = ['orders', 'stock', 'people', 'staff'] as const
/** The subject of the certificate that may use `orders`. */
export const certificateOfOrders = 'C=DE,O=Example,CN=orders'
/** Two users share a password, so a password alone identifies nobody. */
export const passwords: ReadonlyMap<string, string> = new Map([
  ['alice', 'the password of alice'],
  ['bob', 'the password of bob'],
  ['carol', 'the password of alice'],
])
/** Whether the connection uses the password grant. */
export const isOfUsers = (connection: string) => connection === 'people' || connection === 'staff'
export const userNames = [...passwords.keys()]

/** Everything that decides which token is right. Two requests that one token may serve have the same value. */
export interface Wanted {
  readonly connection: string
  readonly username: string | undefined
  readonly password: string | undefined
  readonly scope: readonly string[]
  readonly resource: readonly string[]
  readonly audience: string | undefined
  readonly further: readonly (readonly [string, string])[]
}

/** The two functions with the product's own wiring, loaded again for each instance. */
export interface Instance {
  readonly issueToken: Handler
  readonly callApi: Handler
  /** Whether a claim must list the connection. */
  readonly isGuarded: boolean
}

/** Functions, a token endpoint that issues a different token for each different wish, and APIs that check the token. */
export interface AccessMatrix {
  readonly tokens: IssueTokenWithScriptedServer
  readonly api: ScriptedApi
  readonly instances: readonly Instance[]
  readonly publishKeys: Handler
  /** The environment that makes another function share their cache. */
  readonly environment: Record<string, string>
  /** What the token was issued for. */
  issuedFor(token: string): Wanted | undefined
}

export function inOneForm(wanted: Wanted): string {
  const { scope, resource, further, ...single } = wanted
  const asSet = (values: readonly string[]) => [...new Set(values)].toSorted()
  return JSON.stringify([
    Object.entries({ ...single }).toSorted(([a], [b]) => (a < b ? -1 : 1)),
    asSet(scope),
    asSet(resource),
    [...further].toSorted(([a], [b]) => (a < b ? -1 : 1)),
  ])
}

const ofTheClient = ['client_id', 'client_secret', 'client_assertion', 'client_assertion_type']
const ownParameters = ['grant_type', 'scope', 'resource', 'audience', 'username', 'password', ...ofTheClient]

/** What a token request wants. It also reads a caller's request, which lacks what the connection adds. */
export function readWanted(connection: string, pairs: readonly (readonly [string, string])[]): Wanted {
  const given = pairs.filter(([, value]) => value !== '')
  const all = (name: string) => given.filter(([each]) => each === name).map(([, value]) => value)
  return {
    connection,
    username: all('username')[0],
    password: all('password')[0],
    scope: all('scope').flatMap((value) => value.split(' ').filter(Boolean)),
    resource: all('resource'),
    audience: all('audience')[0],
    further: given.filter(([name]) => !ownParameters.includes(name)),
  }
}

const clientOf = (connection: string) => `the-client-of-${connection}`
const connectionOf = (clientId: string | undefined) => clientId?.replace('the-client-of-', '') ?? ''

/** What the elements of `stock` set. */
const stockParameters = { scope: ['a', 'b'], tenant: 'north' } as const

/**
 * What the connection makes of the wish: it adds its own values and ignores parameters that its elements don't know.
 */
export function asConfigured(asked: Wanted): Wanted {
  const isKnown = ([name]: readonly [string, string]) =>
    name === 'tenant' && ['stock', 'staff'].includes(asked.connection)
  const wanted = { ...asked, further: asked.further.filter(isKnown) }
  if (wanted.connection !== 'stock') return wanted
  const { scope, tenant } = stockParameters
  const further = wanted.further.filter(([name]) => name !== 'tenant')
  return { ...wanted, scope: wanted.scope.length > 0 ? wanted.scope : scope, further: [...further, ['tenant', tenant]] }
}

function elementsOf(issuer: string, api: string): RawElements {
  const base = exampleElements(issuer, { builder: { signatureAlgorithm: 'ES256' }, server: { coolDownSeconds: 1 } })
  const own: Record<string, Record<string, unknown>> = {
    orders: {},
    stock: { scope: stockParameters.scope, parameters: { tenant: stockParameters.tenant } },
    people: { grantType: 'password' },
    staff: {
      grantType: 'password',
      requestMay: {
        username: ['alice', 'bob', 'carol'],
        scope: true,
        audience: true,
        resource: true,
        tenant: ['north', 'south'],
      },
    },
  }
  const each = (element: (name: string) => Record<string, unknown>) =>
    Object.fromEntries(connectionNames.map((name) => [name, element(name)]))
  const broken = { authServerRef: 'theServer', jwtAuthenticationTokenRef: 'nothing' }
  return {
    ...base,
    oAuthTokenConfig: each((name) => ({ tokenGeneratorRef: 'theBuilder', tokenSubject: clientOf(name) })),
    oAuthConfig: {
      ...each((name) => ({ authServerRef: 'theServer', jwtAuthenticationTokenRef: name, ...own[name] })),
      broken,
    },
    endpointConnection: {
      ...each((name) => ({
        authenticationConfigRef: name,
        host: api,
        domainBasePath: `/of-${name}`,
        sslCertsRef: 'theApiSsl',
        directInvocation: true,
        ...(name === 'orders' && { clientCertificateSubjects: [certificateOfOrders] }),
      })),
      broken: { authenticationConfigRef: 'broken', host: api, directInvocation: true },
    },
    ssl: { ...base['ssl'], theApiSsl: { trustStoreRef: 'theApiTrust' } },
    keyStore: { ...base['keyStore'], theApiTrust: { location: 'tokenwell/local/api-ca' } },
  }
}

export async function startAccessMatrix(t: TestContext): Promise<AccessMatrix> {
  const issued = new Map<string, Wanted>()
  const api = await startScriptedApi(
    t,
    ({ url, headers }) => ({
      headers: {
        'x-api-of': /^\/of-(\w+)\//.exec(url)?.[1] ?? '',
        'x-token-of': inOneFormOf(issued.get(bearerOf(headers))),
        'x-seen': JSON.stringify(headers['x-injected'] ?? null),
      },
    }),
    { maxHeaderSize: 1_000_000 },
  )
  const answer = (form: URLSearchParams): ScriptedAnswer => {
    const wanted = readWanted(connectionOf(decodeJwt(form.get('client_assertion') ?? '').sub), [...form])
    if (form.get('grant_type') === 'password' && passwords.get(wanted.username ?? '') !== wanted.password)
      return { status: 400, body: { error: 'invalid_grant' } }
    const token = randomBytes(24).toString('base64url')
    plant(token)
    issued.set(token, wanted)
    return { body: { access_token: token, token_type: 'Bearer', expires_in: 300 } }
  }
  const tokens = await startIssueTokenWithScriptedServer(
    t,
    (issuer) => elementsOf(issuer, api.origin),
    ({ form }) => answer(form),
  )
  const { workspace } = tokens
  await trustApi(workspace, api.certificate.caCertificate)

  const cache = { TOKENWELL_CACHE: `memory:${randomBytes(8).toString('hex')}` }
  async function load(environment: Record<string, string>, isGuarded: boolean): Promise<Instance> {
    // One after the other, because each reads the environment of this process when it loads.
    const issueToken = await loadFunction('issue-token', workspace, environment)
    const callApi = await loadFunction('call-api', workspace, environment)
    return { issueToken, callApi, isGuarded }
  }
  // One fleet of three: one uses its memory, one reads the cache each time, one checks the caller's claim.
  const instances = [
    await load(cache, false),
    await load({ ...cache, TOKENWELL_MEMORY_SECONDS: '0' }, false),
    await load({ ...cache, TOKENWELL_CONNECTIONS_CLAIM: 'connections' }, true),
  ]
  const publishKeys = await loadFunction('publish-keys', workspace, cache)
  return { tokens, api, instances, publishKeys, environment: cache, issuedFor: (token) => issued.get(token) }
}

/** The value in a form that a header can hold. */
function inOneFormOf(wanted: Wanted | undefined): string {
  return wanted ? encodeURIComponent(inOneForm(wanted)) : ''
}
