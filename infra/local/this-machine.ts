import type { IncomingMessage, ServerResponse } from 'node:http'

/*
 * A server on the loopback address is in reach of every web page that a browser on this machine shows: by a form or script of
 * another site, or by a name that leads here (DNS rebinding). These checks keep such requests out.
 */

/** Why a server of this machine does not answer a request, and with what status. */
export interface Refusal {
  readonly status: 400 | 403 | 421
  readonly message: string
}

const loopbackHosts = ['127.0.0.1', 'localhost', '[::1]'] as const
const plain = { scheme: 'http', defaultPort: 80 } as const
const tls = { scheme: 'https', defaultPort: 443 } as const
/** What a browser says of a request that its user or our own page has begun. */
const ownSites: readonly string[] = ['same-origin', 'none']

/** Undefined if the request names this server by a loopback name and its port, and no page of another origin sent it. */
export function refusalOf(request: IncomingMessage): Refusal | undefined {
  const { host: hosts = [], origin: origins = [], 'sec-fetch-site': sites = [] } = request.headersDistinct
  const own = ownAddress(request)
  const [host = ''] = hosts

  // RFC 9112 section 3.2: none, or more than one, is a 400.
  if (hosts.length !== 1) return { status: 400, message: 'The request must have one Host header.' }
  // RFC 9112 section 3.2.2: an absolute form would override Host.
  if (!request.url?.startsWith('/'))
    return { status: 400, message: 'The request target must be a path: this server is no proxy.' }
  if (!own.hosts.includes(host.toLowerCase()))
    return { status: 421, message: `This server answers at ${own.origins.join(', ')} alone. Check Host and its port.` }
  if (!origins.every((origin) => own.origins.includes(origin)) || !sites.every((site) => ownSites.includes(site)))
    return { status: 403, message: 'A page of another origin sent this request. Send it from a terminal.' }
  return undefined
}

/** The values of Host and Origin that mean the server which the request reached. */
function ownAddress({ socket }: IncomingMessage): { readonly hosts: string[]; readonly origins: string[] } {
  const { scheme, defaultPort } = 'encrypted' in socket ? tls : plain
  const hosts = loopbackHosts.map((host) => `${host}:${socket.localPort}`)
  const short = socket.localPort === defaultPort ? loopbackHosts : hosts
  return { hosts: [...hosts, ...short], origins: short.map((host) => `${scheme}://${host}`) }
}

/** Lets only requests through that are for this machine; answers the others, and ends their connection. */
export function forThisMachine(
  answer: (request: IncomingMessage, response: ServerResponse) => void,
): (request: IncomingMessage, response: ServerResponse) => void {
  return function answerThisMachine(request, response) {
    const refusal = refusalOf(request)
    if (!refusal) return answer(request, response)
    response.writeHead(refusal.status, { 'content-type': 'application/json', connection: 'close' })
    response.end(JSON.stringify({ message: refusal.message }))
  }
}
