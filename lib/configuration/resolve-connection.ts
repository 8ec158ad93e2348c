import { checkSecretNames } from './check-secret-names.ts'
import { collectElements } from './collect-elements.ts'
import { ConfigurationError } from './configuration-error.ts'
import type { ConfiguredParameters, Connection } from './connection.ts'
import type { ElementReference, GrantType, OAuthConfig } from './element.ts'
import type { ElementStore } from './element-store.ts'
import { type Finding, isMistake, isWrittenWrong, type Note } from './finding.ts'
import { freezeDeeply } from './freeze-deeply.ts'
import type { Resolution } from './resolution.ts'
import { resolveApi } from './resolve-api.ts'
import { resolveAuthorizationServer } from './resolve-authorization-server.ts'
import { resolveClientAuthentication } from './resolve-client-authentication.ts'
import { resolveWarming } from './resolve-warming.ts'
import type { Surroundings } from './surroundings.ts'
import { UnknownConnectionError } from './unknown-connection-error.ts'

/**
 * Reads one connection's elements, and no others, and puts every default in place.
 * @throws {UnknownConnectionError}
 * @throws {ConfigurationError} with all mistakes of the connection at once
 */
export async function resolveConnection(
  store: ElementStore,
  surroundings: Surroundings,
  name: string,
): Promise<Connection> {
  const { connection, findings } = await inspectConnection(store, surroundings, name)
  if (!connection) throw new ConfigurationError(findings.filter(isMistake))
  return connection
}

/**
 * The same for those who want to see everything: findings of both kinds, and no connection where one is a mistake.
 * @throws {UnknownConnectionError}
 */
export async function inspectConnection(
  store: ElementStore,
  surroundings: Surroundings,
  name: string,
): Promise<{ connection?: Connection; findings: readonly Finding[] }> {
  const root = { kind: 'endpointConnection', id: name } as const
  const graph = await collectElements(store, [root])
  if (!graph.has(root.kind, root.id)) throw new UnknownConnectionError(name)

  const findings: Finding[] = [...graph.findings, ...checkSecretNames(graph.readings, surroundings)]
  const note: Note = (severity, element, attribute, sentence) => {
    if (!isWrittenWrong(findings, element, attribute)) findings.push({ severity, element, attribute, sentence })
  }

  const connection = assemble({ graph, surroundings, note }, name)
  if (!connection || findings.some(isMistake)) return { findings }
  return { connection: freezeDeeply(connection), findings }
}

/** Undefined where an element that it can't do without is missing or can't be read: that is noted already. */
function assemble(resolution: Resolution, name: string): Connection | undefined {
  const { graph, note } = resolution
  const endpoint = graph.get('endpointConnection', name)
  const config = graph.get('oAuthConfig', endpoint?.authenticationConfigRef)
  if (!endpoint || !config) return undefined

  const element: ElementReference = { kind: 'oAuthConfig', id: endpoint.authenticationConfigRef }
  const grantType = config.grantType ?? 'client_credentials'
  warnOfGrant(grantType, element, note)
  const warming = resolveWarming(endpoint, grantType, { kind: 'endpointConnection', id: name }, note)

  const api = resolveApi(resolution, name, endpoint, config)
  const authorizationServer = resolveAuthorizationServer(resolution, config.authServerRef)
  const authentication = resolveClientAuthentication(resolution, element, config)
  if (!authorizationServer || !authentication) return undefined

  return {
    name,
    ...(api && { api }),
    grantType,
    ...authentication,
    authorizationServer,
    parameters: parametersOf(config),
    ...(config.requestMay && { requestMay: config.requestMay }),
    ...(warming && { warming }),
  }
}

function warnOfGrant(grantType: GrantType, element: ElementReference, note: Note): void {
  if (grantType === 'password')
    note(
      'warning',
      element,
      'grantType',
      "the password grant hands a user's password to clients and must not be used by new ones (RFC 9700 section 2.4).",
    )
}

function parametersOf({ scope = [], resource = [], audience, parameters = {} }: OAuthConfig): ConfiguredParameters {
  return { scope, resource, ...(audience !== undefined && { audience }), further: parameters }
}
