import type { IncomingMessage, ServerResponse } from 'node:http'

/*
 * Every web page in a browser on this machine can reach a server on the loopback address: through a form or script of another site,
 * or through a host name that resolves to this machine (DNS rebinding). These checks refuse such requests.
 */

/** The status and message of a refused request. */
export interface Refusal {
  readonly status: 400 | 403 | 421
  readonly message: string
}

const loopbackHosts = ['127.0.0.1', 'localhost', '[::1]'] as const
const plain = { scheme: 'http', defaultPort: 80 } as const
const tls = { scheme: 'https', defaultPort: 443 } as const
/** The values of `Sec-Fetch-Site` for a request that the user or a page of this server started. */
const ownSites: readonly string[] = ['same-origin', 'none']

/** Returns undefined if the request names this server by a loopback name and its port, and no page of another origin sent it. */
export function refusalOf(request: IncomingMessage): Refusal | undefined {
  const { host: hosts = [], origin: origins = [], 'sec-fetch-site': sites = [] } = request.headersDistinct
  const own = ownAddress(request)
  const [host = ''] = hosts

  // RFC 9112 section 3.2: a request without a Host header, or with more than one, gets a 400.
  if (hosts.length !== 1) return { status: 400, message: 'The request must have one Host header.' }
  // RFC 9112 section 3.2.2: a request target in absolute form overrides Host.
  if (!request.url?.startsWith('/'))
    return { status: 400, message: 'The request target must be a path. This server is not a proxy.' }
  if (!own.hosts.includes(host.toLowerCase()))
    return { status: 421, message: `This server answers only at ${own.origins.join(', ')}. Check Host and its port.` }
  if (!origins.every((origin) => own.origins.includes(origin)) || !sites.every((site) => ownSites.includes(site)))
    return { status: 403, message: 'A page of another origin sent this request. Send it from a terminal.' }
  return undefined
}

/** The values of Host and Origin that name the server that received the request. */
function ownAddress({ socket }: IncomingMessage): { readonly hosts: string[]; readonly origins: string[] } {
  const { scheme, defaultPort } = 'encrypted' in socket ? tls : plain
  const hosts = loopbackHosts.map((host) => `${host}:${socket.localPort}`)
  const short = socket.localPort === defaultPort ? loopbackHosts : hosts
  return { hosts: [...hosts, ...short], origins: short.map((host) => `${scheme}://${host}`) }
}

/** Passes on only requests for this machine. Answers the others itself, and closes their connection. */
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
