import { canonicalHost, isHostName, isIpv6 } from './value-syntax.ts'

/** A rule of the environment variable `NO_PROXY`: `*`, a host, or all hosts of a domain, with or without a port. */
interface NoProxyRule {
  /** In the form of a URL's `hostname`. It begins with a dot if it means all hosts of a domain. */
  readonly host: string
  readonly port?: string
}

const anyHost = '*'

/**
 * Whether a host is reached without its proxy. A rule is `*`, the host's name or address with or without its port, or
 * `.example.com` or `*.example.com` for all hosts of a domain. `example.com` means only that host. Case has no effect.
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
  // Checked before the port: the last part of an IPv6 address without brackets is not a port.
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
