import { relative } from 'node:path'
import type { ClientMetadata } from 'oidc-provider'
import { fileElements } from '../../lib/adapters/files/file-elements.ts'
import { describeFinding, isMistake } from '../../lib/configuration/finding.ts'
import { listConnections, validateElements } from '../../lib/configuration/inspect-elements.ts'
import { startAuthorizationServer } from './authorization-server.ts'
import { ordersAudience, type ProtectedApi, startProtectedApi } from './protected-api.ts'
import type { Print } from './terminal.ts'
import {
  clientsOf,
  expectedApi,
  expectedIssuer,
  localConnections,
  ownElements,
  portOf,
  prepareCertificate,
  prepareDemoUser,
  prepareSecrets,
  prepareSigningKey,
  relocate,
  trust,
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
}

/**
 * Starts the servers that the elements expect on this machine: the authorization server, with a client for each connection,
 * and the protected API, which accepts its tokens. For other authorization servers it prints the clients to register.
 * @throws {LocalRunError} when a port is taken
 */
export async function startServers(requested: Workspace, { folder, print }: ServersOptions): Promise<StartedServers> {
  print(`  elements   ${relative(process.cwd(), requested.elementsPath)}`)
  await announceMistakes(requested, print)
  const expecting = await localConnections(requested, expectedIssuer)
  if (expecting.length === 0) {
    await announceForeignServers(requested, print)
    return { workspace: requested }
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
      await announceSecrets(workspace, print)
      await trust(workspace, certificate)
      return clientsOf(workspace, await localConnections(workspace, issuer))
    },
  })
  print(`  server     ${issuer} (oidc-provider over TLS), with a client for each usable connection`)
  if (!api) return { workspace }
  print(`  api        ${api.origin}, which requires a token for ${ordersAudience}`)
  return { workspace, api: api.origin }
}

/** The elements of this repository are rewritten if a server moves to another port. A user's elements stay as they are. */
function whereTaken({ elementsPath }: Workspace, name: string): { mayMove: boolean; advice: string } {
  return {
    mayMove: elementsPath === ownElements,
    advice: `Your elements expect the ${name} of the local run there. Free the port and start again.`,
  }
}

async function announceMistakes({ elementsPath, deployment }: Workspace, print: Print): Promise<void> {
  const findings = await validateElements(fileElements(elementsPath), deployment)
  for (const finding of findings.filter(isMistake)) print(`  mistake    ${describeFinding(finding)}`)
}

async function announceSecrets(workspace: Workspace, print: Print): Promise<void> {
  const made = await prepareSecrets(workspace)
  const place = relative(process.cwd(), workspace.secretsFolder)
  print(made.length > 0 ? `  secrets    ${made.length} new in ${place}` : `  secrets    all exist in ${place}`)
}

/** Prints the clients that the operators of other authorization servers must register. */
async function announceForeignServers(workspace: Workspace, print: Print): Promise<void> {
  await announceSecrets(workspace, print)
  const listed = await listConnections(fileElements(workspace.elementsPath), workspace.deployment)
  const clients = await clientsOf(workspace, listed)
  const keys = ({ jwks }: ClientMetadata) => (jwks ? ` with the public keys ${JSON.stringify(jwks)}` : '')
  for (const client of clients)
    print(`  client     register ${client.client_id} (${client.token_endpoint_auth_method})${keys(client)}`)
}
