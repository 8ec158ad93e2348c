import type { ConfiguredParameters, Connection, Warming } from './connection.ts'
import { checkSecretNames, type Deployment } from './deployment.ts'
import type { ElementReference, EndpointConnection, GrantType, OAuthConfig } from './element.ts'
import { collectElements, type Resolution } from './element-graph.ts'
import type { ElementStore } from './element-store.ts'
import {
  ConfigurationError,
  type Finding,
  isMistake,
  isWrittenWrong,
  type Note,
  UnknownConnectionError,
} from './finding.ts'
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
 * The same for those who want to see everything: findings of both kinds, and no connection where one is a mistake.
 * @throws {UnknownConnectionError}
 */
export async function inspectConnection(
  store: ElementStore,
  deployment: Deployment,
  name: string,
): Promise<{ connection?: Connection; findings: readonly Finding[] }> {
  const root = { kind: 'endpointConnection', id: name } as const
  const graph = await collectElements(store, [root])
  if (!graph.has(root.kind, root.id)) throw new UnknownConnectionError(name)

  const findings: Finding[] = [...graph.findings, ...checkSecretNames(graph.readings, deployment)]
  const note: Note = (severity, element, attribute, sentence) => {
    if (!isWrittenWrong(findings, element, attribute)) findings.push({ severity, element, attribute, sentence })
  }

  const connection = assemble({ graph, deployment, note }, name)
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

const defaults = { idleMilliseconds: 86_400_000, maximumVariants: 20 } as const

/** Undefined where no token is to be kept warm, or none can be. What then has no effect is noted. */
export function resolveWarming(
  { warm, warmIdle, warmVariants }: EndpointConnection,
  grantType: GrantType,
  element: ElementReference,
  note: Note,
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
  // Where warm is false nothing is asked for that isn't given.
  const ignored = { warm: warm || undefined, warmIdle, warmVariants }
  for (const [attribute, value] of Object.entries(ignored))
    if (value !== undefined) note('warning', element, attribute, `it is ignored: ${reason}.`)
  return undefined
}

/** The same value, unchangeable to its last leaf. */
export function freezeDeeply<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value
  for (const member of Object.values(value)) freezeDeeply(member)
  return Object.freeze(value)
}
