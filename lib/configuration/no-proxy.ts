import { canonicalHost, isHostName, isIpv6 } from './value-syntax.ts'

/** As in the environment variable `NO_PROXY`: `*`, a host or a domain's hosts, with or without a port. */
interface NoProxyRule {
  /** As `hostname` of a URL has it. Begins with a dot if it means all hosts under a domain. */
  readonly host: string
  readonly port?: string
}

const anyHost = '*'

/**
 * Whether a host is reached without its proxy: by `*`, by its own name or address, with its port or without one, or by
 * `.example.com` or `*.example.com` for all hosts under a domain; `example.com` is that host alone. Case doesn't matter.
 */
export function isReachedDirectly(url: URL, noProxy: readonly string[]): boolean {
  const host = withoutLastDot(url.hostname)
  const port = url.port || (url.protocol === 'http:' ? '80' : '443')
  return noProxy.map(readRule).some((rule) => {
    if (!rule) return false
    if (rule.host === anyHost) return true
    if (rule.port !== undefined && rule.port !== port) return false
    return rule.host.startsWith('.') ? host.endsWith(rule.host) : host === rule.host
  })
}

export function isNoProxyRule(text: string): boolean {
  return readRule(text) !== undefined
}

function readRule(text: string): NoProxyRule | undefined {
  if (text === anyHost) return { host: anyHost }
  // Before the port is read: the last part of an address without brackets is not a port.
  if (isIpv6(text)) return readHost(text)

  const [, place = '', port] = /^(.*?)(?::(\d+))?$/.exec(text) ?? []
  const rule = readPlace(place)
  if (!rule || port === undefined) return rule
  return isPort(port) ? { ...rule, port } : undefined
}

function readPlace(text: string): NoProxyRule | undefined {
  const bracketed = /^\[(.*)\]$/.exec(text)?.[1] ?? ''
  if (isIpv6(bracketed)) return readHost(bracketed)

  const [, dot = '', name = ''] = /^(?:\*?(\.))?([^:]*)$/.exec(text) ?? []
  const rule = readHost(name)
  return rule && { host: dot + rule.host }
}

function readHost(name: string): NoProxyRule | undefined {
  return isHostName(name) ? { host: withoutLastDot(canonicalHost(name)) } : undefined
}

function isPort(digits: string): boolean {
  return /^[1-9]\d{0,4}$/.test(digits) && Number(digits) <= 65_535
}

function withoutLastDot(host: string): string {
  return host.replace(/\.$/, '')
}
