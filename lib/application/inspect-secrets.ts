import { X509Certificate } from 'node:crypto'
import { createSecureContext } from 'node:tls'
import { createConnector } from '../adapters/http/connector.ts'
import { readTlsIdentity } from '../adapters/http/tls-identity.ts'
import { TokenwellError } from '../base/tokenwell-error.ts'
import {
  type AssertionConfiguration,
  assertionsOfGrant,
  type Connection,
  type ResolvedAuthorizationServer,
  secretsInHeaders,
  type Transport,
} from '../configuration/connection.ts'
import type { ElementReference } from '../configuration/element.ts'
import { describeFinding, type Finding } from '../configuration/finding.ts'
import type { ListedConnection } from '../configuration/inspect-elements.ts'
import { createSecretCache, type SecretCache } from '../secret/secret-cache.ts'
import type { SecretStore } from '../secret/secret-store.ts'
import { createHeader } from '../signing/assertion.ts'
import { readCertificates } from '../signing/pem.ts'
import { readHeaderValue, readPassword, type SecretUse } from '../signing/secret-use.ts'
import { createSignerCache, type SignerCache } from '../signing/signer-cache.ts'
import { readSigningKeys } from '../signing/signing-secret.ts'

interface Inspection {
  readonly secrets: SecretCache
  readonly signers: SignerCache
  readonly now: number
}

/**
 * Finds mistakes in the secrets of these connections that a token request would meet. It reads and uses each secret, and sends
 * nothing. Keys that Tokenwell makes itself are left out. No finding shows a secret.
 * @param now milliseconds since the epoch
 */
export async function inspectSecrets(
  listed: readonly ListedConnection[],
  store: SecretStore,
  now: number,
): Promise<readonly Finding[]> {
  const secrets = createSecretCache(store, () => now)
  const inspection = { secrets, signers: createSignerCache(secrets, () => now), now }
  const findings: Finding[] = []
  for (const { connection } of listed)
    if (connection) findings.push(...(await inspectConnection(connection, inspection)))
  return [...new Map(findings.map((finding) => [describeFinding(finding), finding])).values()]
}

async function inspectConnection(connection: Connection, inspection: Inspection): Promise<readonly Finding[]> {
  const { name, api, authorizationServer } = connection
  const server = { kind: 'authorizationServer', id: authorizationServer.id } as const
  return [
    ...(await inspectClient(connection, server, inspection)),
    ...(await inspectTransport(authorizationServer, server, inspection)),
    ...(api ? await inspectTransport(api, { kind: 'endpointConnection', id: name }, inspection) : []),
  ]
}

async function inspectClient(
  { clientAuthentication: way, grant, authorizationServer }: Connection,
  server: ElementReference,
  inspection: Inspection,
): Promise<readonly Finding[]> {
  const use = { element: `authorizationServer/${server.id}`, host: new URL(authorizationServer.tokenEndpoint).hostname }
  return [
    ...('passwordSecret' in way ? await inspectPassword(way.passwordSecret, server, use, inspection) : []),
    ...('assertion' in way ? await inspectKey(way.assertion, use, inspection) : []),
    ...(await Promise.all(assertionsOfGrant(grant).map((each) => inspectKey(each, use, inspection)))).flat(),
    ...(await inspectHeaders(authorizationServer, use, inspection)),
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

async function inspectPassword(
  name: string,
  server: ElementReference,
  use: SecretUse,
  { secrets }: Inspection,
): Promise<readonly Finding[]> {
  return await complaints(server, 'basicAuthRef', async () => {
    const password = readPassword(name, await secrets.get(name), use)
    return password.length > 0
      ? []
      : [mistake(server, 'basicAuthRef', `The secret ${name} is empty. Store the password in it.`)]
  })
}

async function inspectKey(
  assertion: AssertionConfiguration,
  use: SecretUse,
  { secrets, signers, now }: Inspection,
): Promise<readonly Finding[]> {
  const { key, algorithm, certificateThumbprint, hasCertificateChain } = assertion
  if (key.generated) return []
  const builder: ElementReference = { kind: 'jwtBuilder', id: key.jwtBuilder }
  const isShared = algorithm.startsWith('HS')
  return await complaints(builder, isShared ? 'sharedKey' : 'keyStoreRef', async () => {
    createHeader(assertion, await signers.current(key, algorithm, use))
    if (isShared) return []
    const keys = readSigningKeys(key.location, await secrets.get(key.location))
    const severity = certificateThumbprint === 'none' && !hasCertificateChain ? 'warning' : 'mistake'
    return keys
      .filter(({ keyId }) => key.alias === undefined || key.alias === keyId)
      .flatMap(({ certificates: [own] }) => (own ? datesOf(own, key.location, now) : []))
      .map(({ sentence, isInvalid }) => ({
        severity: isInvalid ? severity : ('warning' as const),
        ...{ element: builder, attribute: 'keyStoreRef', sentence },
      }))
  })
}

/** Inspects trust store, client certificate and the password of a proxy. */
async function inspectTransport(
  transport: Transport,
  element: ElementReference,
  { secrets, now }: Inspection,
): Promise<readonly Finding[]> {
  const { trustStore, clientCertificate } = transport.tls
  return await complaints(element, 'sslCertsRef', async () => {
    await createConnector(transport, secrets)
    const { ca, ...identity } = await readTlsIdentity(transport.tls, secrets)
    const shown = clientCertificate === undefined ? undefined : certificateOf(createSecureContext(identity).context)
    const authorities = readCertificates(trustStore ?? '', ca ?? '')
    const own = shown ? datesOf(shown, clientCertificate ?? '', now) : []
    const others = authorities.flatMap((each) => datesOf(each, trustStore ?? '', now))
    return [...own, ...others].map((complaint) => ({
      severity: own.includes(complaint) && complaint.isInvalid ? ('mistake' as const) : ('warning' as const),
      ...{ element, attribute: 'sslCertsRef', sentence: complaint.sentence },
    }))
  })
}

/** node:crypto does not read PKCS#12, so this uses a method of node:tls that is not documented. */
function certificateOf(context: unknown): X509Certificate | undefined {
  const { getCertificate } = context as { readonly getCertificate?: () => Buffer | null }
  const der = getCertificate?.call(context)
  return der ? new X509Certificate(der) : undefined
}

const soonMilliseconds = 30 * 86_400_000

interface DateComplaint {
  readonly sentence: string
  /** False if the certificate gets invalid in less than 30 days. */
  readonly isInvalid: boolean
}

function datesOf(certificate: X509Certificate, location: string, now: number): DateComplaint[] {
  const { validFromDate, validToDate } = certificate
  const subject = certificate.subject.replaceAll('\n', ', ')
  const [firstDay, lastDay] = [dayOf(validFromDate), dayOf(validToDate)]
  if (+validToDate < now) {
    const sentence = `The secret ${location} holds the certificate of ${subject}, which expired on ${lastDay}. Replace the certificate.`
    return [{ sentence, isInvalid: true }]
  }
  if (+validFromDate > now) {
    const sentence = `The secret ${location} holds the certificate of ${subject}, which is not valid before ${firstDay}. Replace the certificate, or wait until that day.`
    return [{ sentence, isInvalid: true }]
  }
  if (+validToDate > now + soonMilliseconds) return []
  const sentence = `The secret ${location} holds the certificate of ${subject}, which expires on ${lastDay}. Replace the certificate before that day.`
  return [{ sentence, isInvalid: false }]
}

function dayOf(date: Date): string {
  return date.toISOString().slice(0, 10)
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
