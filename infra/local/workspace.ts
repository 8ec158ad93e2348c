import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { ClientMetadata } from 'oidc-provider'
import { fileElements } from '../../lib/adapters/files/file-elements.ts'
import { fileSecrets, secretPath } from '../../lib/adapters/files/file-secrets.ts'
import { decodeUtf8 } from '../../lib/base/decoding.ts'
import {
  addressOf,
  type Connection,
  isServed,
  type ServedConnection,
  type TokenConnection,
  tokensOf,
} from '../../lib/configuration/connection.ts'
import type { Deployment } from '../../lib/configuration/deployment.ts'
import { type ListedConnection, listConnections } from '../../lib/configuration/inspect-elements.ts'
import { generateKey } from '../../lib/signing/key-algorithm.ts'
import { createServerCertificate, type ServerCertificate } from './certificate-authority.ts'
import { localKeyService, makeKmsKeysFor } from './kms-keys.ts'
import { makePassword, makeSecret, makeSecretsFor } from './make-secrets.ts'
import { describeClients } from './register-clients.ts'

/** The address at which the elements of the local run expect its authorization server. */
export const expectedIssuer = 'https://localhost:9443'
/** The address at which the elements expect its protected API. */
export const expectedApi = 'https://localhost:9444'
export const demoUser = 'alice'
const spareMilliseconds = 7 * 86_400_000
export const ownElements = join(import.meta.dirname, 'elements.json')

/** The origins of the servers of one local run. */
export interface Origins {
  readonly issuer: string
  readonly api: string
}

/** The elements and secrets of one local run. */
export interface Workspace {
  readonly elementsPath: string
  readonly secretsFolder: string
  readonly deployment: Deployment
}

/** The connections whose tokens come from the authorization server of the local run. */
export async function localConnections(workspace: Workspace, issuer: string): Promise<ListedConnection[]> {
  const listed = await listConnections(fileElements(workspace.elementsPath), workspace.deployment)
  return listed.filter(({ connection }) => connection && tokensOf(connection).some((each) => isServedBy(issuer, each)))
}

/**
 * Whether the token comes from the authorization server of the local run. It speaks OAuth 2.0 only.
 * @param issuer undefined if the run has no authorization server
 */
export function isServedBy(issuer: string | undefined, token: TokenConnection): boolean {
  return isOAuth(token) && new URL(addressOf(token.authorizationServer)).origin === issuer
}

function isOAuth(token: TokenConnection): token is ServedConnection {
  return isServed(token) && token.grant.type !== 'authToken'
}

/** The connections without a mistake. */
export async function usableConnections({ elementsPath, deployment }: Workspace): Promise<Connection[]> {
  const listed = await listConnections(fileElements(elementsPath), deployment)
  return listed.flatMap(({ connection }) => connection ?? [])
}

/** Returns a workspace whose elements name the actual origins of the servers. */
export async function relocate(workspace: Workspace, origins: Origins, folder: string): Promise<Workspace> {
  const { issuer, api } = origins
  if (issuer === expectedIssuer && api === expectedApi) return workspace
  const elementsPath = join(folder, `elements-${portOf(issuer)}-${portOf(api)}.json`)
  const text = decodeUtf8(await readFile(workspace.elementsPath)) ?? ''
  const elements: unknown = JSON.parse(text, (_name, value: unknown) => relocateValue(value, origins))
  await mkdir(folder, { recursive: true })
  await writeFile(elementsPath, `${JSON.stringify(elements, undefined, 2)}\n`)
  return { ...workspace, elementsPath }
}

/** Rewrites a URL below the expected issuer, and an element whose `host` and `port` are those of the expected API. */
function relocateValue(value: unknown, { issuer, api }: Origins): unknown {
  if (typeof value === 'string') return value.replaceAll(expectedIssuer, issuer)
  if (typeof value !== 'object' || value === null || !('host' in value && 'port' in value)) return value
  return `${value.host}:${value.port}` === expectedApi ? { ...value, port: portOf(api) } : value
}

export function portOf(origin: string): number {
  return Number(new URL(origin).port)
}

/**
 * Makes the folder of the secrets, and the missing secrets and keys of all connections.
 * @param registers whether the client of a connection is registered with the client secret that is made
 * @returns the names of the new secrets, and the locations of the new keys
 */
export async function prepareSecrets(
  workspace: Workspace,
  registers: (token: TokenConnection) => boolean,
): Promise<string[]> {
  await mkdir(workspace.secretsFolder, { recursive: true, mode: 0o700 })
  const tokens = (await usableConnections(workspace)).flatMap(tokensOf)
  const keys = await makeKmsKeysFor(workspace.secretsFolder, tokens)
  return [...(await makeSecretsFor(workspace, tokens, registers)), ...keys]
}

/** The password of the only user of the authorization server. It is made at the first start. */
export async function prepareDemoUser({ secretsFolder, deployment }: Workspace): Promise<ReadonlyMap<string, string>> {
  const name = `tokenwell/${deployment.stage}/${demoUser}-password`
  await makeSecret({ secretsFolder, deployment }, name, makePassword)
  const password = await fileSecrets(secretsFolder, deployment.stage).get(name)
  return new Map([[demoUser, password.reveal()]])
}

/** The certificate of the servers of this run. It is kept so that the same trust store works for several runs at a time. */
export async function prepareCertificate(folder: string): Promise<ServerCertificate> {
  const path = join(folder, 'authorization-server.json')
  const kept = await readFile(path, 'utf8').then(
    (text): ServerCertificate => JSON.parse(text),
    () => undefined,
  )
  if (kept && Date.parse(new X509Certificate(kept.certificate).validTo) > Date.now() + spareMilliseconds) return kept
  const made = await createServerCertificate(['localhost', '127.0.0.1', '::1'])
  await mkdir(folder, { recursive: true, mode: 0o700 })
  await writeFile(path, JSON.stringify(made), { mode: 0o600 })
  return made
}

/** The key of the authorization server. It is kept so that tokens in a shared cache stay valid for the next run. */
export async function prepareSigningKey(folder: string): Promise<KeyObject> {
  const path = join(folder, 'authorization-server-key.pem')
  const kept = await readFile(path, 'utf8').catch(() => undefined)
  if (kept) return createPrivateKey(kept)
  const made = generateKey('RS256', 2048)
  await mkdir(folder, { recursive: true, mode: 0o700 })
  await writeFile(path, made.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 })
  return made
}

/** Writes the CA of this run's servers to the trust store of the connections. */
export async function trust({ secretsFolder, deployment }: Workspace, certificate: ServerCertificate): Promise<void> {
  const path = secretPath(secretsFolder, deployment.stage, `tokenwell/${deployment.stage}/authorization-server-ca`)
  await mkdir(dirname(path), { recursive: true, mode: 0o700 })
  await writeFile(path, certificate.caCertificate)
}

/** The registration data of the clients of these connections. */
export function clientsOf(workspace: Workspace, listed: readonly ListedConnection[]): Promise<ClientMetadata[]> {
  const secrets = fileSecrets(workspace.secretsFolder, workspace.deployment.stage)
  return describeClients(
    listed.flatMap(({ connection }) => (connection ? tokensOf(connection) : [])).filter(isOAuth),
    secrets,
    localKeyService(workspace.secretsFolder),
  )
}
