import {
  type ClientPassword,
  type LocatedConnection,
  type NoAuthentication,
  type PrivateKeyJwt,
  secretsInBodyOf,
  type TlsClientAuth,
} from '../configuration/connection.ts'
import type { Secret } from '../secret/secret.ts'
import type { SecretStore } from '../secret/secret-store.ts'
import type { AssertionMaker } from '../signing/assertion.ts'
import type { AssertionMakers, AssertionPurpose } from '../signing/assertion-makers.ts'
import { readPassword, type SecretUse } from '../signing/secret-use.ts'
import { type GrantKey, grantKeyOf } from './grants/grant-key.ts'
import type { RequestHeaders } from './request-headers.ts'

/** The authentication method of a client, with its key or password. */
export type ClientKey =
  | { readonly way: PrivateKeyJwt; readonly maker: AssertionMaker }
  | { readonly way: ClientPassword; readonly user: string; readonly password: Secret }
  | { readonly way: TlsClientAuth | NoAuthentication }

/** The keys of one token request. */
export interface RequestKeys {
  readonly client: ClientKey
  readonly grant: GrantKey
  /** Absent where the element adds no headers. */
  readonly headers?: RequestHeaders
  /** The secrets in the body of an `authToken`, by their names. */
  readonly body?: ReadonlyMap<string, Secret>
}

/**
 * The keys of token requests. Both functions throw {SecretError} when a secret can't be read, and {KeyStoreError} when it holds no
 * usable key.
 */
export type RequestKeySource = ReturnType<typeof createRequestKeySource>

export function createRequestKeySource(makers: AssertionMakers, secrets: SecretStore) {
  async function currentClient(connection: LocatedConnection): Promise<ClientKey> {
    const { clientAuthentication: way } = connection
    const use = useOf(connection)
    if ('passwordSecret' in way)
      return {
        way,
        user: connection.clientId,
        password: readPassword(way.passwordSecret, await secrets.get(way.passwordSecret), use),
      }
    if ('assertion' in way) return { way, maker: await makers.current(way.assertion, purposeOf(connection)) }
    return { way }
  }

  async function previousClient(connection: LocatedConnection): Promise<ClientKey | undefined> {
    const { clientAuthentication: way } = connection
    const use = useOf(connection)
    if ('passwordSecret' in way) {
      const password = await previousPassword(secrets, way.passwordSecret, use)
      return password && { way, user: connection.clientId, password }
    }
    if (!('assertion' in way)) return undefined
    const maker = await makers.previous(way.assertion, purposeOf(connection))
    return maker && { way, maker }
  }

  async function currentGrant(connection: LocatedConnection): Promise<GrantKey> {
    const purpose = purposeOf(connection)
    return await grantKeyOf(connection.grant, async (assertion) => await makers.current(assertion, purpose))
  }

  /** Each JWT of the grant that has a previous key is signed with that one. */
  async function previousGrant(connection: LocatedConnection): Promise<GrantKey | undefined> {
    const purpose = purposeOf(connection)
    let isOther = false
    const grantKey = await grantKeyOf(connection.grant, async (assertion) => {
      const previous = await makers.previous(assertion, purpose)
      isOther ||= previous !== undefined
      return previous ?? (await makers.current(assertion, purpose))
    })
    return isOther ? grantKey : undefined
  }

  async function headersOf(
    connection: LocatedConnection,
    time: 'current' | 'previous',
  ): Promise<Pick<RequestKeys, 'headers'> | undefined> {
    const { headers: values } = connection.authorizationServer
    if (!values) return undefined
    // Few servers want further headers, and the others do not load the module.
    const reader = await import('./request-headers.ts')
    const use = useOf(connection)
    const headers =
      time === 'current'
        ? await reader.currentHeaders(values, secrets, use)
        : await reader.previousHeaders(values, secrets, use)
    return headers && { headers }
  }

  async function currentBody(connection: LocatedConnection): Promise<Pick<RequestKeys, 'body'>> {
    const names = namesInBody(connection)
    if (names.length === 0) return {}
    const use = useOf(connection)
    const read = names.map(async (name) => [name, readPassword(name, await secrets.get(name), use)] as const)
    return { body: new Map(await Promise.all(read)) }
  }

  /** Each secret that has a previous value has that one. Undefined where none has. */
  async function previousBody(connection: LocatedConnection): Promise<Pick<RequestKeys, 'body'> | undefined> {
    const use = useOf(connection)
    const before = await Promise.all(
      namesInBody(connection).map(async (name) => [name, await previousPassword(secrets, name, use)] as const),
    )
    const other = before.filter((each): each is [string, Secret] => each[1] !== undefined)
    if (other.length === 0) return undefined
    const { body = [] } = await currentBody(connection)
    return { body: new Map([...body, ...other]) }
  }

  /**
   * The keys with one of them replaced by the one before: that of the client where the server refused the client itself, else that of
   * the grant, else that of the client, else the secrets in its body, else those in its headers. Undefined where no other key exists.
   */
  async function previous(connection: LocatedConnection, isOfClient: boolean): Promise<RequestKeys | undefined> {
    const grant = isOfClient ? undefined : await previousGrant(connection)
    if (grant) return { client: await currentClient(connection), grant, ...(await headersOf(connection, 'current')) }
    const client = await previousClient(connection)
    const body = client ? undefined : await previousBody(connection)
    const headers = await headersOf(connection, client || body ? 'current' : 'previous')
    if (client || body || headers)
      return {
        client: client ?? (await currentClient(connection)),
        grant: await currentGrant(connection),
        ...headers,
        ...(body ?? (await currentBody(connection))),
      }
    // A server knows a client without credentials by its grant.
    const isOfGrant = isOfClient && connection.clientAuthentication.method === 'none'
    return isOfGrant ? await previous(connection, false) : undefined
  }

  return {
    async current(connection: LocatedConnection): Promise<RequestKeys> {
      const [client, grant, headers, body] = await Promise.all([
        currentClient(connection),
        currentGrant(connection),
        headersOf(connection, 'current'),
        currentBody(connection),
      ])
      return { client, grant, ...headers, ...body }
    },

    previous,
  }
}

function namesInBody({ grant }: LocatedConnection): readonly string[] {
  return [...new Set(secretsInBodyOf(grant))]
}

function useOf({
  authorizationServer: { id, tokenEndpoint },
}: Pick<LocatedConnection, 'authorizationServer'>): SecretUse {
  return { element: `authorizationServer/${id}`, host: new URL(tokenEndpoint).hostname }
}

function purposeOf(connection: LocatedConnection): AssertionPurpose {
  return { connection: connection.name, use: useOf(connection) }
}

async function previousPassword(secrets: SecretStore, name: string, use: SecretUse): Promise<Secret | undefined> {
  const before = await secrets.getPrevious(name)
  const password = before && readPassword(name, before, use)
  return password?.equals(readPassword(name, await secrets.get(name), use)) ? undefined : password
}
