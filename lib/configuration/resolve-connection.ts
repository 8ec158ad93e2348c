import { authorizationDetails, writeDetails } from './authorization-details.ts'
import { type ConfiguredParameters, type Connection, namesUser, type Warming } from './connection.ts'
import type { Deployment } from './deployment.ts'
import { checkDirectInvocation } from './direct-invocation.ts'
import { type ElementReference, type EndpointConnection, keyOf, type OAuthConfig } from './element.ts'
import { type Advisor, type Resolution, startResolution } from './element-graph.ts'
import type { ElementStore } from './element-store.ts'
import {
  ConfigurationError,
  ConnectionDisabledError,
  type Finding,
  type FindingList,
  isMistake,
  UnknownConnectionError,
} from './finding.ts'
import { tokenExchange } from './grant-type.ts'
import { resolveClientAuthentication } from './resolve-client-authentication.ts'
import { resolveApi, resolveAuthorizationServer } from './resolve-far-end.ts'
import { resolveGrant } from './resolve-grant.ts'
import { passedOnMembers } from './resolve-host-from.ts'
import { foldedParameterName } from './value-syntax.ts'

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
  const config = graph.get('oAuthConfig', endpoint?.authenticationConfigRef)
  if (!endpoint || !config) return undefined

  const root: ElementReference = { kind: 'endpointConnection', id: name }
  if (endpoint.directInvocation === true) checkDirectInvocation(root, findings)
  const element: ElementReference = { kind: 'oAuthConfig', id: endpoint.authenticationConfigRef }
  const grant = resolveGrant(resolution, element, config)
  checkScopes(resolution, config, element)
  resolution.advice?.onConfig(config, element)
  checkRequestMay(config, element, findings)
  const warming = resolveWarming(endpoint, config, root, findings)

  const api = resolveApi(resolution, name, endpoint, config)
  const passOn = passedOnMembers(config)
  const authorizationServer = resolveAuthorizationServer(resolution, config.authServerRef)
  const authentication = resolveClientAuthentication(resolution, element, config, grant)
  if (!authorizationServer || !authentication || !grant) return undefined

  return {
    name,
    elements: graph.readings.map(({ reference }) => keyOf(reference)),
    ...(api && { api }),
    grant,
    ...authentication,
    authorizationServer,
    parameters: parametersOf(config),
    ...(passOn.length > 0 && { passOn }),
    ...(config.requestMay && { requestMay: config.requestMay }),
    ...(endpoint.clientCertificateSubjects && { clientCertificateSubjects: endpoint.clientCertificateSubjects }),
    ...(warming && { warming }),
  }
}

/** The server would read such a scope as two. */
function checkScopes({ graph, findings }: Resolution, config: OAuthConfig, element: ElementReference): void {
  const { scopeSeparator } = graph.get('authorizationServer', config.authServerRef) ?? {}
  if (scopeSeparator === undefined) return
  const listed = config.requestMay?.['scope'] ?? []
  const scopes = { scope: config.scope, defaultScope: config.defaultScope, requestMay: listed === true ? [] : listed }
  for (const [attribute, values] of Object.entries(scopes)) {
    const scope = values?.find((each) => each.includes(scopeSeparator))
    if (scope === undefined) continue
    findings.addMistake(
      element,
      attribute,
      `The scope ${JSON.stringify(scope)} contains the scopeSeparator of authorizationServer/${config.authServerRef}. Write its parts as a list of scopes, or correct scopeSeparator.`,
    )
  }
}

/** If a request omits a parameter, the server chooses its value, perhaps one that the operator does not list. */
function checkRequestMay(config: OAuthConfig, element: ElementReference, findings: FindingList): void {
  const { requestMay = {} } = config
  const { further: parameters } = parametersOf(config)
  checkDefaultScope(config, element, findings)
  for (const name of ['scope', 'resource', 'audience'] as const)
    if (Array.isArray(requestMay[name]) && !hasDefault(config, name)) {
      const attributes = name === 'scope' ? 'scope or defaultScope' : name
      findings.addMistake(
        element,
        'requestMay',
        `It lists values of ${name}, but no default: the server would choose the ${name} of a request without it. Set ${attributes} to the default.`,
      )
    }
  for (const [name, allowed] of Object.entries(requestMay))
    if (Array.isArray(allowed) && !byAttribute.includes(name) && !Object.hasOwn(parameters, name)) {
      const toSet = attributeOf[name] ?? `${name} in parameters`
      findings.addWarning(
        element,
        'requestMay',
        `It lists values of ${name}. If a request has no ${name}, the authorization server chooses the value. To prevent that, set ${toSet}.`,
      )
    }
  const twin = Object.keys(requestMay).find((name) => twinOf(name, Object.keys(parameters)) !== undefined)
  const configured = twin === undefined ? undefined : twinOf(twin, Object.keys(parameters))
  if (twin !== undefined)
    findings.addMistake(
      element,
      'requestMay',
      `It names ${twin} and parameters names ${configured}: some servers read them as the same parameter. Write both names alike.`,
    )
}

/** Parameters that are not set in `parameters`. */
const attributeOf: Readonly<Record<string, string>> = {
  requested_token_type: 'requestedTokenType',
  [authorizationDetails]: 'authorizationDetails',
}
const byAttribute: readonly string[] = ['scope', 'resource', 'audience', 'username']

function hasDefault({ scope, resource, audience, defaultScope }: OAuthConfig, name: 'scope' | 'resource' | 'audience') {
  const values = { scope: scope?.length ? scope : defaultScope, resource, audience }
  return values[name] !== undefined
}

function twinOf(name: string, others: readonly string[]): string | undefined {
  return others.find((other) => other !== name && foldedParameterName(other) === foldedParameterName(name))
}

function checkDefaultScope(
  { defaultScope, scope, requestMay = {} }: OAuthConfig,
  element: ElementReference,
  findings: FindingList,
): void {
  if (defaultScope === undefined) return
  const { scope: listed } = requestMay
  if (scope !== undefined)
    findings.addMistake(
      element,
      'defaultScope',
      'It has no effect when scope is set. Take out one of the two attributes.',
    )
  else if (!Array.isArray(listed) || defaultScope.length === 0 || !defaultScope.every((each) => listed.includes(each)))
    findings.addMistake(element, 'defaultScope', 'It must be one or more of the scopes that requestMay lists.')
}

function parametersOf({ resource = [], audience, parameters = {}, ...config }: OAuthConfig): ConfiguredParameters {
  const scope = config.scope ?? config.defaultScope ?? []
  const { requestedTokenType, authorizationDetails: details } = config
  const further = {
    ...parameters,
    ...(requestedTokenType !== undefined && { requested_token_type: requestedTokenType }),
    ...(details && { [authorizationDetails]: writeDetails(details) }),
  }
  return { scope, resource, ...(audience !== undefined && { audience }), further }
}

const defaults = { idleMilliseconds: 86_400_000, idleLifetimes: 10, maximumVariants: 20 } as const

/** Undefined if warm runs must not or can't renew tokens. Then attributes without effect get a warning. */
function resolveWarming(
  { warm, warmIdle, warmVariants }: EndpointConnection,
  { grantType, subjectTokenRef, claimsFromRequest = {} }: OAuthConfig,
  element: ElementReference,
  findings: FindingList,
): Warming | undefined {
  const needsToken = grantType === tokenExchange && subjectTokenRef === undefined
  const isForUsers = namesUser(claimsFromRequest)
  const isPossible = grantType !== 'password' && !needsToken && !isForUsers
  if (isPossible && warm !== false)
    return {
      idleMilliseconds: warmIdle ?? defaults.idleMilliseconds,
      // A value from the operator also holds for tokens with a short lifetime.
      ...(warmIdle === undefined && { idleLifetimes: defaults.idleLifetimes }),
      maximumVariants: warmVariants ?? defaults.maximumVariants,
    }

  const reason = isPossible
    ? 'warm is false'
    : needsToken
      ? 'renewing the token takes the subject_token, which only the caller has'
      : isForUsers
        ? 'each token is for a user, and only the request names the user (claimsFromRequest)'
        : "renewing a token of the password grant takes the user's password, which only the caller has"
  // `warm: false` itself has an effect.
  const ignored = { warm: warm || undefined, warmIdle, warmVariants }
  for (const [attribute, value] of Object.entries(ignored))
    if (value !== undefined) findings.addWarning(element, attribute, `It has no effect: ${reason}. Take it out.`)
  return undefined
}

/** Freezes the value and everything in it, and returns it. */
export function freezeDeeply<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value
  for (const member of Object.values(value)) freezeDeeply(member)
  return Object.freeze(value)
}
