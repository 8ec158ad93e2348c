import { authorizationDetails, writeDetails } from './authorization-details.ts'
import type { ConfiguredParameters, ServedConnection } from './connection.ts'
import type { ElementReference, OAuthConfig } from './element.ts'
import type { Resolution } from './element-graph.ts'
import type { FindingList } from './finding.ts'
import { resolveCarrier } from './resolve-carrier.ts'
import { resolveClientAuthentication } from './resolve-client-authentication.ts'
import { resolveAuthorizationServer } from './resolve-far-end.ts'
import { resolveGrant } from './resolve-grant.ts'
import { passedOnMembers } from './resolve-host-from.ts'
import type { TokenOrigin } from './token-origin.ts'
import { foldedParameterName } from './value-syntax.ts'

/** The token of an `oAuthConfig`. Undefined if it can't be resolved. Then there is a finding. */
export function resolveOAuthConfig(
  resolution: Resolution,
  element: ElementReference,
): TokenOrigin<ServedConnection> | undefined {
  const { graph, findings } = resolution
  const config = graph.get('oAuthConfig', element.id)
  if (!config) return undefined
  const grant = resolveGrant(resolution, element, config)
  checkScopes(resolution, config, element)
  resolution.advice?.onConfig(config, element)
  checkRequestMay(config, element, findings)
  const passOn = passedOnMembers(config)
  const authorizationServer = resolveAuthorizationServer(resolution, config.authServerRef)
  const authentication = resolveClientAuthentication(resolution, element, config, grant)
  const carrier = resolveCarrier(resolution, element, config, { tokenRetryCheckLevel: 3 })
  if (!authorizationServer || !authentication || !grant) return undefined
  return {
    authentication: element,
    carrier,
    grant,
    ...authentication,
    authorizationServer,
    parameters: parametersOf(config),
    ...(passOn.length > 0 && { passOn }),
    ...(config.requestMay && { requestMay: config.requestMay }),
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
