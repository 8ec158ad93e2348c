import type { ResolvedAuthorizationServer, Transport } from './connection.ts'
import type { AuthorizationServer, ElementReference } from './element.ts'
import type { Resolution } from './resolution.ts'
import { resolveTransport } from './resolve-transport.ts'

const defaults = {
  connectTimeoutMilliseconds: 3_000,
  receiveTimeoutMilliseconds: 8_000,
  maximumConcurrency: 10,
  coolDownSeconds: 30,
  /** Short enough that a guess does little harm: peers that assume an hour hand out dead tokens. */
  assumedLifetimeSeconds: 300,
} as const

/** Undefined where the element is missing or can't be read, or names an `ssl` that can't. */
export function resolveAuthorizationServer(
  resolution: Resolution,
  id: string,
): ResolvedAuthorizationServer | undefined {
  const server = resolution.graph.get('authorizationServer', id)
  if (!server) return undefined

  const element: ElementReference = { kind: 'authorizationServer', id }
  const transport = resolveTransport(resolution, new URL(server.tokenEndpoint), server, defaults)
  checkTransport(resolution, element, server, transport)
  warnOfLifetimes(resolution, element, server)
  const { issuer, maximumLifetimeSeconds, marginSeconds } = server
  return {
    id,
    ...(issuer !== undefined && { issuer }),
    tokenEndpoint: server.tokenEndpoint,
    ...transport,
    maximumConcurrency: server.maximumConcurrency ?? defaults.maximumConcurrency,
    coolDownSeconds: server.coolDownSeconds ?? defaults.coolDownSeconds,
    lifetime: {
      assumedLifetimeSeconds: server.assumedLifetimeSeconds ?? defaults.assumedLifetimeSeconds,
      ...(maximumLifetimeSeconds !== undefined && { maximumLifetimeSeconds }),
      ...(marginSeconds !== undefined && { marginSeconds }),
    },
  }
}

/** RFC 6749 section 3.2: a token endpoint is reached by TLS. The one exception stays on this machine. */
function checkTransport(
  { surroundings, note }: Resolution,
  element: ElementReference,
  { tokenEndpoint, allowLoopbackHttp }: AuthorizationServer,
  { proxy }: Transport,
): void {
  if (allowLoopbackHttp && surroundings.isLambda)
    note('mistake', element, 'allowLoopbackHttp', 'it is for one machine and has no place on Lambda; take it out.')

  const { protocol, hostname } = new URL(tokenEndpoint)
  if (protocol === 'https:') return
  if (!allowLoopbackHttp)
    note('mistake', element, 'tokenEndpoint', 'it must begin with https:// (RFC 6749 section 3.2).')
  else if (!isLoopback(hostname))
    note(
      'mistake',
      element,
      'tokenEndpoint',
      'allowLoopbackHttp allows http:// only to localhost, 127.0.0.1 and [::1].',
    )
  else if (proxy)
    note(
      'mistake',
      element,
      'proxyConfigRef',
      `http:// stays on this machine, and a proxy is elsewhere; take this out, or name the host in noProxy of proxyConfig/${proxy.id}.`,
    )
}

function warnOfLifetimes({ note }: Resolution, element: ElementReference, server: AuthorizationServer): void {
  const { marginSeconds = 0, assumedLifetimeSeconds, maximumLifetimeSeconds } = server
  for (const lifetime of [assumedLifetimeSeconds, maximumLifetimeSeconds])
    if (lifetime !== undefined && marginSeconds >= lifetime)
      note(
        'warning',
        element,
        'marginSeconds',
        `a token that lives ${lifetime} s would never be kept: make the margin smaller.`,
      )
}

function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127(\.\d{1,3}){3}$/.test(hostname)
}
