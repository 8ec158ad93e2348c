import { X509Certificate } from 'node:crypto'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { ClientMetadata } from 'oidc-provider'
import { fileElements } from '../../lib/adapters/file-elements.ts'
import { fileSecrets, secretPath } from '../../lib/adapters/file-secrets.ts'
import { type ListedConnection, listConnections } from '../../lib/configuration/list-connections.ts'
import type { Surroundings } from '../../lib/configuration/surroundings.ts'
import { createServerCertificate, type ServerCertificate } from './certificate-authority.ts'
import { makePassword, makeSecret, makeSecrets } from './make-secrets.ts'
import { describeClients } from './register-clients.ts'

/** Where the elements of the local run expect its authorization server. */
export const expectedIssuer = 'https://localhost:9443'
export const demoUser = 'alice'
const spareMilliseconds = 7 * 86_400_000
export const ownElements = join(import.meta.dirname, 'elements.json')

/** The elements and secrets of one local run. */
export interface Workspace {
  readonly elementsPath: string
  readonly secretsFolder: string
  readonly surroundings: Surroundings
}

/** Those connections whose tokens come from the authorization server of the local run. */
export async function localConnections(workspace: Workspace, issuer: string): Promise<ListedConnection[]> {
  const listed = await listConnections(fileElements(workspace.elementsPath), workspace.surroundings)
  return listed.filter(({ connection }) => {
    return connection && new URL(connection.authorizationServer.tokenEndpoint).origin === issuer
  })
}

/** The same with elements that expect the authorization server where it is. */
export async function relocate(workspace: Workspace, issuer: string, folder: string): Promise<Workspace> {
  if (issuer === expectedIssuer) return workspace
  const elementsPath = join(folder, `elements-${new URL(issuer).port}.json`)
  const text = await readFile(workspace.elementsPath, 'utf8')
  await mkdir(folder, { recursive: true })
  await writeFile(elementsPath, text.replaceAll(expectedIssuer, issuer))
  return { ...workspace, elementsPath }
}

/** Makes what is missing to use all connections. */
export async function prepareSecrets(workspace: Workspace): Promise<string[]> {
  const { elementsPath, secretsFolder, surroundings } = workspace
  const listed = await listConnections(fileElements(elementsPath), surroundings)
  return makeSecrets(
    { secretsFolder, surroundings },
    listed.flatMap(({ connection }) => connection ?? []),
  )
}

/** The password of the one user of the authorization server, made at the first start. */
export async function prepareDemoUser({
  secretsFolder,
  surroundings,
}: Workspace): Promise<ReadonlyMap<string, string>> {
  const name = `tokenwell/${surroundings.stage}/${demoUser}-password`
  await makeSecret({ secretsFolder, surroundings }, name, makePassword)
  const password = await fileSecrets(secretsFolder, surroundings.stage).get(name)
  return new Map([[demoUser, password.reveal()]])
}

/** The certificate of the authorization server, kept so that several runs at a time are trusted by the same secret. */
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

/** Lets the connections trust the authorization server. */
export async function trust({ secretsFolder, surroundings }: Workspace, certificate: ServerCertificate): Promise<void> {
  const path = secretPath(secretsFolder, surroundings.stage, `tokenwell/${surroundings.stage}/authorization-server-ca`)
  await mkdir(dirname(path), { recursive: true, mode: 0o700 })
  await writeFile(path, certificate.caCertificate)
}

/** What an authorization server has to know of the clients that these connections are. */
export function clientsOf(workspace: Workspace, listed: readonly ListedConnection[]): Promise<ClientMetadata[]> {
  const secrets = fileSecrets(workspace.secretsFolder, workspace.surroundings.stage)
  return describeClients(
    listed.flatMap(({ connection }) => connection ?? []),
    secrets,
  )
}
