import type { ResolvedAuthorizationServer, ServedConnection } from '../../../lib/configuration/connection.ts'
import { plainConnection } from '../../support/elements/plain-connection.ts'

/*
 * The connections of a cell. Each has its own authorizationServer element, and the virtual server recognizes it by the
 * id of that element. One connection fails. The others share less and less with it.
 */

const { authorizationServer: plainServer } = plainConnection
const theEndpoint = 'https://as.example.com/token'
const theWay: Way = { tls: { minimumVersion: 'TLSv1.2', trustStore: 'tokenwell/local/the-trust' } }

/** What a connection of the transport depends on besides the token endpoint. */
type Way = Pick<ResolvedAuthorizationServer, 'tls' | 'proxy'>

interface Traits {
  readonly name: string
  readonly clientId: string
  readonly tokenEndpoint?: string
  readonly way?: Way
  readonly changes?: Partial<ServedConnection>
}

function connectionOf({
  name,
  clientId,
  tokenEndpoint = theEndpoint,
  way = theWay,
  changes,
}: Traits): ServedConnection {
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
const ofUsers = { grant: { type: 'password' } } as const

/** The connection whose requests fail. */
export const culprit = connectionOf({
  name: 'culprit',
  clientId: 'theClient',
  changes: { requestMay: { scope: true, resource: true, audience: true, tenant: true } },
})
/** The same, but its requests need a user's name and password. */
export const userCulprit = connectionOf({ name: 'user-culprit', clientId: 'theClient', changes: ofUsers })
/** The same endpoint, way and client, but other elements. */
export const sameClient = connectionOf({
  name: 'same-client',
  clientId: 'theClient',
  changes: { parameters: { scope: ['other'], resource: [], further: {} } },
})
/** The same endpoint and way, but another client. */
export const sameWay = connectionOf({ name: 'same-way', clientId: 'client-of-same-way' })
/** The same endpoint, but another way and client. */
export const otherWay = connectionOf({ name: 'other-way', clientId: 'client-of-other-way', way: otherTrust })
/** It shares none of the above. */
export const otherEndpoint = connectionOf({
  name: 'other-endpoint',
  clientId: 'client-of-other-endpoint',
  tokenEndpoint: elsewhere,
})

export const allConnections: readonly ServedConnection[] = [
  culprit,
  userCulprit,
  sameClient,
  sameWay,
  otherWay,
  otherEndpoint,
]

/** The names of the connections with the same way. */
export const onTheWay: readonly string[] = [culprit, userCulprit, sameClient, sameWay].map(({ name }) => name)
/** The names of the connections with the same endpoint. */
export const atTheEndpoint: readonly string[] = [...onTheWay, otherWay.name]
/** The names of the connections with the same client. */
export const ofTheClient: readonly string[] = [culprit, userCulprit, sameClient].map(({ name }) => name)

/** More connections with the same endpoint, each with its own client, over two ways. */
export function connectionsAtTheEndpoint(count: number): readonly ServedConnection[] {
  return Array.from({ length: count }, (_, index) =>
    connectionOf({
      name: `connection-${index}`,
      clientId: `client-${index}`,
      way: index % 2 === 0 ? theWay : otherTrust,
    }),
  )
}
