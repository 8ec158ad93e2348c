import type { Connection, ResolvedAuthorizationServer } from '../../../lib/configuration/connection.ts'
import { plainConnection } from '../../support/elements/plain-connection.ts'

/*
 * The connections of a cell. Each has an authorizationServer element of its own, by whose id the virtual server knows it:
 * one that fails, and four that share less and less with it.
 */

const { authorizationServer: plainServer } = plainConnection
const theEndpoint = 'https://as.example.com/token'
const theWay: Way = { tls: { minimumVersion: 'TLSv1.2', trustStore: 'tokenwell/local/the-trust' } }

/** What a connection of the transport depends on beside the token endpoint. */
type Way = Pick<ResolvedAuthorizationServer, 'tls' | 'proxy'>

interface Traits {
  readonly name: string
  readonly clientId: string
  readonly tokenEndpoint?: string
  readonly way?: Way
  readonly changes?: Partial<Connection>
}

function connectionOf({ name, clientId, tokenEndpoint = theEndpoint, way = theWay, changes }: Traits): Connection {
  return {
    ...plainConnection,
    name,
    clientId,
    clientAuthentication: { method: 'client_secret_basic', passwordSecret: `tokenwell/local/${clientId}` },
    authorizationServer: { ...plainServer, ...way, id: name, tokenEndpoint },
    ...changes,
  }
}

const otherTrust: Way = { tls: { minimumVersion: 'TLSv1.2', trustStore: 'tokenwell/local/other-trust' } }
const elsewhere = 'https://other.example.com/token'
const ofUsers = { grantType: 'password' } as const

/** The one whose requests fail. */
export const culprit = connectionOf({
  name: 'culprit',
  clientId: 'theClient',
  changes: { requestMay: { scope: true, resource: true, audience: true, tenant: true } },
})
/** The same, where a user's name and password are needed. */
export const userCulprit = connectionOf({ name: 'user-culprit', clientId: 'theClient', changes: ofUsers })
/** The same endpoint, way and client; other elements. */
export const sameClient = connectionOf({
  name: 'same-client',
  clientId: 'theClient',
  changes: { parameters: { scope: ['other'], resource: [], further: {} } },
})
/** The same endpoint and way; another client. */
export const sameWay = connectionOf({ name: 'same-way', clientId: 'client-of-same-way' })
/** The same endpoint; another way and client. */
export const otherWay = connectionOf({ name: 'other-way', clientId: 'client-of-other-way', way: otherTrust })
/** Nothing of the above. */
export const otherEndpoint = connectionOf({
  name: 'other-endpoint',
  clientId: 'client-of-other-endpoint',
  tokenEndpoint: elsewhere,
})

export const allConnections: readonly Connection[] = [
  culprit,
  userCulprit,
  sameClient,
  sameWay,
  otherWay,
  otherEndpoint,
]

/** Those that go the same way, by their names. */
export const onTheWay: readonly string[] = [culprit, userCulprit, sameClient, sameWay].map(({ name }) => name)
/** Those of one endpoint, by their names. */
export const atTheEndpoint: readonly string[] = [...onTheWay, otherWay.name]
/** Those of one client, by their names. */
export const ofTheClient: readonly string[] = [culprit, userCulprit, sameClient].map(({ name }) => name)

/** So many more of one endpoint, each with a client of its own, by two ways. */
export function connectionsAtTheEndpoint(count: number): readonly Connection[] {
  return Array.from({ length: count }, (_, index) =>
    connectionOf({
      name: `connection-${index}`,
      clientId: `client-${index}`,
      way: index % 2 === 0 ? theWay : otherTrust,
    }),
  )
}
