/**
 * Whether a host is reached without its proxy, by the rules of the environment variable `NO_PROXY`: `*`; a host, with or
 * without its port; `.example.com` or `*.example.com` for all hosts under a domain. Case doesn't matter.
 */
export function isReachedDirectly({ hostname, port }: Pick<URL, 'hostname' | 'port'>, noProxy: readonly string[]) {
  const host = unbracketed(hostname)
  return noProxy.map(readRule).some((rule) => {
    if (rule.host === '*') return true
    if (rule.port !== undefined && rule.port !== (port || httpsPort)) return false
    return rule.host.startsWith('.') ? host.endsWith(rule.host) : host === rule.host
  })
}

const httpsPort = '443'

function readRule(text: string): { readonly host: string; readonly port?: string } {
  const [, host = '', port] = /^(\[[^\]]*\]|[^:]*|[^:]*:[^:]*:.*?)(?::(\d+))?$/.exec(text.toLowerCase()) ?? []
  return { host: unbracketed(host.replace(/^\*\./, '.')), ...(port !== undefined && { port }) }
}

/** As IPv6 addresses stand in a URL. */
function unbracketed(hostname: string): string {
  return hostname.toLowerCase().replace(/^\[(.*)\]$/, '$1')
}
