import type { Connection } from './connection.ts'
import type { Deployment } from './deployment.ts'
import { checkDirectInvocation } from './direct-invocation.ts'
import { type ElementReference, keyOf } from './element.ts'
import { type Advisor, type Resolution, startResolution } from './element-graph.ts'
import type { ElementStore } from './element-store.ts'
import {
  ConfigurationError,
  ConnectionDisabledError,
  type Finding,
  isMistake,
  UnknownConnectionError,
} from './finding.ts'
import { resolveAuthToken } from './resolve-auth-token.ts'
import { resolveAuthTokenLocal } from './resolve-auth-token-local.ts'
import { refuseSameHeaders, resolveAuthentications, warnOfUselessRetryLevel } from './resolve-authentications.ts'
import { resolveApi } from './resolve-far-end.ts'
import { resolveOAuthConfig } from './resolve-oauth-config.ts'
import { resolveWarming } from './resolve-warming.ts'
import type { TokenOrigin } from './token-origin.ts'

/**
 * Reads only the elements of one connection and sets all defaults.
 * @throws {UnknownConnectionError}
 * @throws {ConnectionDisabledError} even if there are mistakes too
 * @throws {ConfigurationError} with all mistakes of the connection at once
 */
export async function resolveConnection(
  store: ElementStore,
  deployment: Deployment,
  name: string,
): Promise<Connection> {
  const { connection, isDisabled, findings } = await readConnection(store, deployment, name)
  if (isDisabled) throw new ConnectionDisabledError(name)
  if (!connection) throw new ConfigurationError(findings.filter(isMistake))
  return connection
}

/**
 * Resolves a connection and returns all findings. There is no connection if a finding is a mistake.
 * @throws {UnknownConnectionError}
 */
export async function inspectConnection(
  store: ElementStore,
  deployment: Deployment,
  name: string,
): Promise<InspectedConnection> {
  return await readConnection(store, deployment, name, await import('./advice.ts'))
}

async function readConnection(
  store: ElementStore,
  deployment: Deployment,
  name: string,
  advisor?: Advisor,
): Promise<InspectedConnection> {
  const element = { kind: 'endpointConnection', id: name } as const
  const resolution = await startResolution(store, deployment, element, advisor)
  if (!resolution) throw new UnknownConnectionError(name)

  const isDisabled = isStopped(resolution, element)
  const connection = assemble(resolution, name)
  const { all } = resolution.findings
  const findings = advisor?.withoutAccepted(all, resolution.graph.readings) ?? all
  if (!connection || resolution.findings.mistakes().length > 0) return { isDisabled, findings }
  return { connection: freezeDeeply(connection), isDisabled, findings }
}

export interface InspectedConnection {
  /** Absent if a finding is a mistake. */
  readonly connection?: Connection
  /** Whether the operator has disabled it. */
  readonly isDisabled: boolean
  readonly findings: readonly Finding[]
}

/** A connection can be disabled even if its elements have mistakes. An unreadable `disabled` counts as true, to be safe. */
function isStopped({ graph, findings }: Resolution, element: ElementReference): boolean {
  const root = graph.readings.find(({ reference }) => keyOf(reference) === keyOf(element))
  if (findings.isWrittenWrong(element, 'disabled')) return true
  if (!root || !('disabled' in root.attributes) || root.attributes.disabled !== true) return false
  findings.addWarning(
    element,
    'disabled',
    'The connection is disabled: callers get no token, and no API is called. To enable it, take this attribute out.',
  )
  return true
}

/** Undefined if a required element is missing or can't be read. Then there is already a finding. */
function assemble(resolution: Resolution, name: string): Connection | undefined {
  const { graph, findings } = resolution
  const endpoint = graph.get('endpointConnection', name)
  if (!endpoint) return undefined

  const root: ElementReference = { kind: 'endpointConnection', id: name }
  if (endpoint.directInvocation === true) checkDirectInvocation(root, findings)
  const references = resolveAuthentications(resolution, root, endpoint)
  const origins = references.filter(({ kind }) => kind !== 'authData').map((each) => resolveToken(resolution, each))
  const basic = references.find(({ kind }) => kind === 'authData')
  const tokens = origins.filter((each) => each !== undefined)
  refuseSameHeaders(tokens, basic, findings)
  warnOfUselessRetryLevel(tokens, findings)
  const api = resolveApi(resolution, name, endpoint, { references, basic })
  const warming = resolveWarming(endpoint, tokens, root, findings)
  if (origins.includes(undefined) || references.length < endpoint.authenticationConfigRef.length) return undefined

  const base = {
    name,
    elements: graph.readings.map(({ reference }) => keyOf(reference)),
    ...(api && { api }),
    ...(endpoint.clientCertificateSubjects && { clientCertificateSubjects: endpoint.clientCertificateSubjects }),
  }
  const [main, ...others] = tokens.map((token) => ({ ...base, ...token, ...(warming && { warming }) }))
  if (!main) return base
  return { ...main, ...(others.length > 0 && { others: others.map((each) => ({ ...each, isFurther: true })) }) }
}

function resolveToken(resolution: Resolution, element: ElementReference): TokenOrigin | undefined {
  switch (element.kind) {
    case 'authToken':
      return resolveAuthToken(resolution, element)
    case 'authTokenLocal':
      return resolveAuthTokenLocal(resolution, element)
    default:
      return resolveOAuthConfig(resolution, element)
  }
}

/** Freezes the value and everything in it, and returns it. */
export function freezeDeeply<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value
  for (const member of Object.values(value)) freezeDeeply(member)
  return Object.freeze(value)
}
