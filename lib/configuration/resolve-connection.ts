import type { ConfiguredParameters, Connection, Warming } from './connection.ts'
import type { Deployment } from './deployment.ts'
import type { ElementReference, EndpointConnection, GrantType, OAuthConfig } from './element.ts'
import { type Resolution, startResolution } from './element-graph.ts'
import type { ElementStore } from './element-store.ts'
import { ConfigurationError, type Finding, type FindingList, isMistake, UnknownConnectionError } from './finding.ts'
import { resolveClientAuthentication } from './resolve-client-authentication.ts'
import { resolveApi, resolveAuthorizationServer } from './resolve-far-end.ts'

/**
 * Reads one connection's elements, and no others, and puts every default in place.
 * @throws {UnknownConnectionError}
 * @throws {ConfigurationError} with all mistakes of the connection at once
 */
export async function resolveConnection(
  store: ElementStore,
  deployment: Deployment,
  name: string,
): Promise<Connection> {
  const { connection, findings } = await inspectConnection(store, deployment, name)
  if (!connection) throw new ConfigurationError(findings.filter(isMistake))
  return connection
}

/**
 * The same with all findings, mistakes and warnings: there is no connection if one is a mistake.
 * @throws {UnknownConnectionError}
 */
export async function inspectConnection(
  store: ElementStore,
  deployment: Deployment,
  name: string,
): Promise<{ connection?: Connection; findings: readonly Finding[] }> {
  const resolution = await startResolution(store, deployment, { kind: 'endpointConnection', id: name })
  if (!resolution) throw new UnknownConnectionError(name)

  const { findings } = resolution
  const connection = assemble(resolution, name)
  if (!connection || findings.mistakes().length > 0) return { findings: findings.all }
  return { connection: freezeDeeply(connection), findings: findings.all }
}

/** Undefined if an element that it can't do without is missing or can't be read: there is a finding on that already. */
function assemble(resolution: Resolution, name: string): Connection | undefined {
  const { graph, findings } = resolution
  const endpoint = graph.get('endpointConnection', name)
  const config = graph.get('oAuthConfig', endpoint?.authenticationConfigRef)
  if (!endpoint || !config) return undefined

  const element: ElementReference = { kind: 'oAuthConfig', id: endpoint.authenticationConfigRef }
  const grantType = config.grantType ?? 'client_credentials'
  warnOfGrant(grantType, element, findings)
  const warming = resolveWarming(endpoint, grantType, { kind: 'endpointConnection', id: name }, findings)

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

function warnOfGrant(grantType: GrantType, element: ElementReference, findings: FindingList): void {
  if (grantType === 'password')
    findings.addWarning(
      element,
      'grantType',
      "the password grant hands a user's password to clients and must not be used by new ones (RFC 9700 section 2.4).",
    )
}

function parametersOf({ scope = [], resource = [], audience, parameters = {} }: OAuthConfig): ConfiguredParameters {
  return { scope, resource, ...(audience !== undefined && { audience }), further: parameters }
}

const defaults = { idleMilliseconds: 86_400_000, maximumVariants: 20 } as const

/** Undefined if no token is to be kept warm, or none can be. An attribute that then has no effect draws a warning. */
function resolveWarming(
  { warm, warmIdle, warmVariants }: EndpointConnection,
  grantType: GrantType,
  element: ElementReference,
  findings: FindingList,
): Warming | undefined {
  const isPossible = grantType === 'client_credentials'
  if (isPossible && warm !== false)
    return {
      idleMilliseconds: warmIdle ?? defaults.idleMilliseconds,
      maximumVariants: warmVariants ?? defaults.maximumVariants,
    }

  const reason = isPossible
    ? 'with warm false no token is renewed before it is asked for'
    : "to renew a token of the password grant takes the user's password, and nobody but the caller has it"
  // With warm false nothing is configured that has no effect.
  const ignored = { warm: warm || undefined, warmIdle, warmVariants }
  for (const [attribute, value] of Object.entries(ignored))
    if (value !== undefined) findings.addWarning(element, attribute, `it is ignored: ${reason}.`)
  return undefined
}

/** The same value, unchangeable to its last leaf. */
export function freezeDeeply<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value
  for (const member of Object.values(value)) freezeDeeply(member)
  return Object.freeze(value)
}
