import { createConnector } from '../adapters/http/connector.ts'
import { tlsCertificates } from '../adapters/http/tls-identity.ts'
import { TokenwellError } from '../base/tokenwell-error.ts'
import type { ApiOfToken, ProtectedApi } from '../configuration/api.ts'
import { type AssertionConfiguration, isInKms, isSignedByTokenwell } from '../configuration/assertion-configuration.ts'
import type { AuthTokenRequest } from '../configuration/auth-token.ts'
import { secretsInBody } from '../configuration/body-leaf.ts'
import {
  addressOf,
  assertionsOfGrant,
  type Connection,
  isServed,
  type ResolvedAuthorizationServer,
  type ServedConnection,
  secretsInHeaders,
  tokensOf,
} from '../configuration/connection.ts'
import type { ElementReference } from '../configuration/element.ts'
import { describeFinding, type Finding } from '../configuration/finding.ts'
import type { ListedConnection } from '../configuration/inspect-elements.ts'
import { isSharedKeyAlgorithm } from '../configuration/signature-algorithm.ts'
import type { Transport } from '../configuration/transport.ts'
import { useOfKey } from '../get-token/local-tokens.ts'
import type { Secret } from '../secret/secret.ts'
import { createSecretCache, type SecretCache } from '../secret/secret-cache.ts'
import type { SecretStore } from '../secret/secret-store.ts'
import { createHeader } from '../signing/assertion.ts'
import type { KeyService } from '../signing/key-service.ts'
import { createKmsSigners, type KmsSigners } from '../signing/kms-signers.ts'
import { createSecretDates, dateFindings, type SecretDates } from '../signing/secret-dates.ts'
import {
  demandHeaderValue,
  readBasicPassword,
  readHeaderValue,
  readPassword,
  type SecretUse,
} from '../signing/secret-use.ts'
import { createSignerCache, type SignerCache } from '../signing/signer-cache.ts'

interface Inspection {
  readonly secrets: SecretCache
  readonly signers: SignerCache
  readonly kmsSigners: KmsSigners
  readonly dates: SecretDates
  readonly now: number
}

/**
 * Finds mistakes in the secrets of these connections that a token request would meet. It reads and uses each secret, asks KMS for public
 * keys, and sends nothing else. Keys that Tokenwell makes itself are left out. No finding shows a secret.
 * @param now milliseconds since the epoch
 */
export async function inspectSecrets(
  listed: readonly ListedConnection[],
  store: SecretStore,
  keyService: KeyService,
  now: number,
): Promise<readonly Finding[]> {
  const secrets = createSecretCache(store, () => now)
  const signers = createSignerCache(secrets, () => now)
  const dates = createSecretDates({ secrets, certificates: tlsCertificates(secrets) })
  // The key of each alias is examined, whatever is published.
  const pinnedKeys = { read: async () => [] }
  const kmsSigners = createKmsSigners({ keyService, pinnedKeys, now: () => now })
  const inspection = { secrets, signers, kmsSigners, dates, now }
  const findings: Finding[] = []
  for (const { connection } of listed)
    if (connection) findings.push(...(await inspectConnection(connection, inspection)))
  return [...new Map(findings.map((finding) => [describeFinding(finding), finding])).values()]
}

async function inspectConnection(connection: Connection, inspection: Inspection): Promise<readonly Finding[]> {
  const { name, api } = connection
  const tokens = tokensOf(connection).map((token) =>
    isServed(token) ? inspectServed(token, inspection) : inspectKey(token.grant.assertion, useOfKey(token), inspection),
  )
  return [
    ...(await Promise.all(tokens)).flat(),
    ...(api ? await inspectApi(api, { kind: 'endpointConnection', id: name }, inspection) : []),
    ...dateFindings(await inspection.dates.of(connection, inspection.now)),
  ]
}

async function inspectApi(
  api: ProtectedApi | ApiOfToken,
  element: ElementReference,
  inspection: Inspection,
): Promise<readonly Finding[]> {
  const { basicAuthentication: basic, origin } = api
  const attribute = 'authenticationConfigRef'
  const ofPassword =
    basic && origin !== undefined
      ? await complaints(element, attribute, async () => {
          const use = { element: `authData/${basic.id}`, host: new URL(origin).hostname }
          const secret = await inspection.secrets.get(basic.passwordSecret)
          return emptyMistakes(
            readBasicPassword(basic.passwordSecret, secret, use),
            basic.passwordSecret,
            element,
            attribute,
          )
        })
      : []
  return [...ofPassword, ...(await inspectTransport(api, element, inspection))]
}

async function inspectServed(connection: ServedConnection, inspection: Inspection): Promise<readonly Finding[]> {
  const { authorizationServer } = connection
  const server = { kind: 'authorizationServer', id: authorizationServer.id } as const
  const ofClient = await Promise.all(
    hostsOf(authorizationServer).map((host) => inspectClient(connection, host, inspection)),
  )
  return [
    ...(ofClient.find((found) => found.length === 0) ?? ofClient.flat()),
    ...(await inspectTransport(authorizationServer, server, inspection)),
  ]
}

/** Where secrets may be sent. Which of several hosts it is, only the metadata of the server says. */
function hostsOf(server: ResolvedAuthorizationServer): readonly string[] {
  return [new URL(addressOf(server)).hostname, ...('discovery' in server ? server.discovery.hosts : [])]
}

async function inspectClient(
  { clientAuthentication: way, grant, authorizationServer, authentication }: ServedConnection,
  host: string,
  inspection: Inspection,
): Promise<readonly Finding[]> {
  const request = grant.type === 'authToken' ? grant.request : undefined
  const isInHeader = request?.credentials.in === 'named_headers'
  const server = { kind: 'authorizationServer', id: authorizationServer.id } as const
  const use = { element: `authorizationServer/${server.id}`, host }
  return [
    ...('passwordSecret' in way
      ? await inspectPassword(way.passwordSecret, server, { use, isInHeader }, inspection)
      : []),
    ...('assertion' in way ? await inspectKey(way.assertion, use, inspection) : []),
    ...(await Promise.all(assertionsOfGrant(grant).map((each) => inspectKey(each, use, inspection)))).flat(),
    ...(await inspectHeaders(authorizationServer, use, inspection)),
    ...(await inspectBody(request, authentication, use, inspection)),
  ]
}

async function inspectHeaders(
  server: ResolvedAuthorizationServer,
  use: SecretUse,
  { secrets }: Inspection,
): Promise<readonly Finding[]> {
  const element = { kind: 'authorizationServer', id: server.id } as const
  const found = secretsInHeaders(server).map((name) =>
    complaints(element, 'headers', async () => {
      readHeaderValue(name, await secrets.get(name), use)
      return []
    }),
  )
  return (await Promise.all(found)).flat()
}

async function inspectBody(
  request: AuthTokenRequest | undefined,
  element: ElementReference,
  use: SecretUse,
  { secrets }: Inspection,
): Promise<readonly Finding[]> {
  const found = secretsInBody(request?.body?.structure).map((name) =>
    complaints(element, 'tokenRequest', async () =>
      emptyMistakes(readPassword(name, await secrets.get(name), use), name, element, 'tokenRequest'),
    ),
  )
  return (await Promise.all(found)).flat()
}

async function inspectPassword(
  name: string,
  server: ElementReference,
  { use, isInHeader }: { readonly use: SecretUse; readonly isInHeader: boolean },
  { secrets }: Inspection,
): Promise<readonly Finding[]> {
  return await complaints(server, 'basicAuthRef', async () => {
    const password = readPassword(name, await secrets.get(name), use)
    if (isInHeader && password.length > 0) demandHeaderValue(name, password)
    return emptyMistakes(password, name, server, 'basicAuthRef')
  })
}

function emptyMistakes(
  password: Secret,
  name: string,
  element: ElementReference,
  attribute: string,
): readonly Finding[] {
  return password.length > 0
    ? []
    : [mistake(element, attribute, `The secret ${name} is empty. Store the password in it.`)]
}

async function inspectKey(
  assertion: AssertionConfiguration,
  use: SecretUse | undefined,
  { signers, kmsSigners }: Inspection,
): Promise<readonly Finding[]> {
  if (!isSignedByTokenwell(assertion)) return []
  const { key, algorithm } = assertion
  const builder: ElementReference = { kind: 'jwtBuilder', id: key.jwtBuilder }
  if (isInKms(key))
    return await complaints(builder, 'keyStoreRef', async () => {
      createHeader(assertion, await kmsSigners.current(key, algorithm))
      return []
    })
  if (key.generated) return []
  const isShared = isSharedKeyAlgorithm(algorithm)
  return await complaints(builder, isShared ? 'sharedKey' : 'keyStoreRef', async () => {
    createHeader(assertion, await signers.current(key, algorithm, use))
    return []
  })
}

/** Inspects trust store, client certificate and the password of a proxy. */
async function inspectTransport(
  transport: Transport,
  element: ElementReference,
  { secrets }: Inspection,
): Promise<readonly Finding[]> {
  return await complaints(element, 'sslCertsRef', async () => {
    await createConnector(transport, secrets)
    return []
  })
}

/** The findings, or a mistake if the secret can't be used at all. */
async function complaints(
  element: ElementReference,
  attribute: string,
  inspect: () => Promise<readonly Finding[]>,
): Promise<readonly Finding[]> {
  try {
    return await inspect()
  } catch (error) {
    if (error instanceof TokenwellError) return [mistake(element, attribute, error.message)]
    throw error
  }
}

function mistake(element: ElementReference, attribute: string, sentence: string): Finding {
  return { severity: 'mistake', element, attribute, sentence }
}
