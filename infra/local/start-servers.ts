import { relative } from 'node:path'
import { fileElements } from '../../lib/adapters/files/file-elements.ts'
import { keyFolderOf } from '../../lib/application/open-key-service.ts'
import { isServed, tokensOf } from '../../lib/configuration/connection.ts'
import { kmsAliasPrefix, kmsLocationPrefix, secretPrefix } from '../../lib/configuration/deployment.ts'
import { describeFinding, isMistake } from '../../lib/configuration/finding.ts'
import { validateElements } from '../../lib/configuration/inspect-elements.ts'
import { describeApiCredentials } from './api-credentials.ts'
import { startAuthorizationServer } from './authorization-server.ts'
import { describeForeignClients } from './foreign-clients.ts'
import { ordersAudience, type ProtectedApi, startProtectedApi } from './protected-api.ts'
import { isForTerminal, type Print } from './terminal.ts'
import {
  clientsOf,
  expectedApi,
  expectedIssuer,
  isServedBy,
  localConnections,
  ownElements,
  portOf,
  prepareCertificate,
  prepareDemoUser,
  prepareSecrets,
  prepareSigningKey,
  relocate,
  trust,
  usableConnections,
  type Workspace,
} from './workspace.ts'

interface ServersOptions {
  /** The folder with the files that the local run makes and keeps. */
  readonly folder: string
  readonly print: Print
}

/** The workspace for the rest of the run, with elements that name the started servers. */
export interface StartedServers {
  readonly workspace: Workspace
  /** The origin of the protected API, if it was started. */
  readonly api?: string
  /** Makes and prints what changed elements need: missing secrets, and clients to register at other servers. It never throws. */
  prepare(): Promise<void>
}

/**
 * Starts the servers that the elements expect on this machine: the authorization server, with a client for each connection,
 * and the protected API, which accepts its tokens. Makes missing secrets, and prints the clients to register at other servers.
 * @throws {LocalRunError} when a port is taken
 */
export async function startServers(requested: Workspace, { folder, print }: ServersOptions): Promise<StartedServers> {
  print(`  elements   ${relative(process.cwd(), requested.elementsPath)}`)
  await announceMistakes(requested, print)
  const expecting = await localConnections(requested, expectedIssuer)
  if (expecting.length === 0) {
    await announceSecrets(requested, undefined, print)
    return await announcing(requested, undefined, print)
  }

  const isApiExpected = expecting.some(({ connection }) => connection?.api?.origin === expectedApi)
  const certificate = await prepareCertificate(folder)
  let workspace = requested
  let api: ProtectedApi | undefined
  const { issuer } = await startAuthorizationServer({
    port: portOf(expectedIssuer),
    whereTaken: whereTaken(requested, 'authorization server'),
    certificate,
    signingKey: await prepareSigningKey(folder),
    users: await prepareDemoUser(requested),
    async clients(issuer) {
      if (isApiExpected) {
        const port = portOf(expectedApi)
        api = await startProtectedApi({ port, whereTaken: whereTaken(requested, 'protected API'), certificate, issuer })
      }
      workspace = await relocate(requested, { issuer, api: api?.origin ?? expectedApi }, folder)
      await announceSecrets(workspace, issuer, print)
      await trust(workspace, certificate)
      return clientsOf(workspace, await localConnections(workspace, issuer))
    },
  })
  print(`  server     ${issuer} (oidc-provider over TLS), with a client for each usable connection`)
  if (api) print(`  api        ${api.origin}, which requires a token for ${ordersAudience}`)
  return { ...(await announcing(workspace, issuer, print)), ...(api && { api: api.origin }) }
}

/** The elements of this repository are rewritten if a server moves to another port. A user's elements stay as they are. */
function whereTaken({ elementsPath }: Workspace, name: string): { mayMove: boolean; advice: string } {
  return {
    mayMove: elementsPath === ownElements,
    advice: `Your elements expect the ${name} of the local run there. Another npm start probably uses the port: stop it and start again. PORT does not change this port.`,
  }
}

async function announceMistakes({ elementsPath, deployment }: Workspace, print: Print): Promise<void> {
  const findings = await validateElements(fileElements(elementsPath), deployment)
  for (const finding of findings.filter(isMistake)) print(`  mistake    ${describeFinding(finding)}`)
}

/** The authorization server of this run registers its clients itself, with the client secrets that are made. */
async function announceSecrets(workspace: Workspace, issuer: string | undefined, print: Print): Promise<void> {
  const made = await prepareSecrets(workspace, (connection) => isServedBy(issuer, connection))
  const { deployment, secretsFolder } = workspace
  const keyPrefix = `${kmsLocationPrefix}${kmsAliasPrefix(deployment)}`
  const namesAfter = (prefix: string) =>
    made.flatMap((name) => (name.startsWith(prefix) ? [name.slice(prefix.length)] : [])).join(', ')
  const [secrets, keys] = [namesAfter(secretPrefix(deployment)), namesAfter(keyPrefix)]
  if (secrets) print(`  secrets    new in ${relative(process.cwd(), secretsFolder)}: ${secrets}`)
  if (keys) print(`  KMS keys   new in ${relative(process.cwd(), keyFolderOf(secretsFolder))}: ${keys}`)
}

/** Prints the clients to register at other servers, and the credentials for APIs, each once, and again when it has changed. */
async function announcing(workspace: Workspace, issuer: string | undefined, print: Print): Promise<StartedServers> {
  const printed = new Set<string>()
  await announceClients()
  return { workspace, prepare }

  async function announceClients(): Promise<void> {
    const connections = await usableConnections(workspace)
    const foreign = connections
      .flatMap(tokensOf)
      .filter(isServed)
      .filter((token) => !isServedBy(issuer, token))
    const clients = await describeForeignClients(foreign, workspace)
    for (const part of [...clients, ...(await describeApiCredentials(connections, workspace))]) {
      if (!printed.has(part)) print(part)
      printed.add(part)
    }
  }

  async function prepare(): Promise<void> {
    try {
      await announceSecrets(workspace, issuer, print)
      await announceClients()
    } catch (error) {
      if (!isForTerminal(error)) throw error
      print(`  ${error.message}`)
    }
  }
}
