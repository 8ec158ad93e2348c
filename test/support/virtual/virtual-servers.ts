import type { TokenEndpoint, TokenEndpointAnswer } from '../../../lib/token-endpoint/token-endpoint.ts'
import { TimedOutError, UnreachableError } from '../../../lib/token-endpoint/token-endpoint-error.ts'
import type { VirtualTime } from './virtual-time.ts'

/** A token as its server recorded it. Times are milliseconds since the epoch. */
export interface IssuedToken {
  readonly connection: string
  readonly accessToken: string
  readonly issuedAt: number
  readonly expiresAt: number
  /** When its client gets the answer. */
  readonly arrivesAt: number
}

export interface VirtualServersParts {
  readonly time: VirtualTime
  readonly lifetimeSeconds: (connection: string) => number
  readonly latencyMilliseconds: () => number
  /** `silent`: the server accepts the request and never answers. */
  readonly state?: (server: string, at: number) => 'fine' | 'down' | 'silent'
}

/** Authorization servers on the same clock. They keep their own records, independent of what their clients believe. */
export interface VirtualServers {
  readonly tokenEndpoint: TokenEndpoint
  /** In the order of issue. */
  readonly issued: readonly IssuedToken[]
  /** The times at which a server received a request, answered or not. */
  readonly requests: readonly { readonly server: string; readonly connection: string; readonly at: number }[]
  /** The most requests that a server, or all together (`all`), had under way at one time. */
  mostAtATime(server: string): number
  /** Clears the records. Tokens that were issued stay valid. */
  turnThePage(): void
}

/** The servers recognize a connection by its scope. */
export function createVirtualServers(parts: VirtualServersParts): VirtualServers {
  const { time, lifetimeSeconds, latencyMilliseconds, state = () => 'fine' } = parts
  const { now, pause } = time
  const issued: IssuedToken[] = []
  const requests: { server: string; connection: string; at: number }[] = []
  const underWay = createGauges()
  let numberOfTokens = 0

  async function answer(server: string, connection: string, timeoutMilliseconds: number): Promise<TokenEndpointAnswer> {
    const latency = latencyMilliseconds()
    switch (state(server, now())) {
      case 'down':
        await pause(latency)
        throw new UnreachableError('Nobody listens at the token endpoint.')
      case 'silent':
        await pause(timeoutMilliseconds)
        throw new TimedOutError('The token endpoint did not answer in time.', { isServers: true })
      case 'fine':
        return issue(connection, latency)
    }
  }

  /** The lifetime starts when the request arrives, so no token lives longer than its client expects. */
  async function issue(connection: string, latency: number): Promise<TokenEndpointAnswer> {
    const seconds = lifetimeSeconds(connection)
    const accessToken = someJwt(numberOfTokens++)
    const [issuedAt, arrivesAt] = [now(), now() + latency]
    issued.push({ connection, accessToken, issuedAt, arrivesAt, expiresAt: issuedAt + seconds * 1000 })
    await pause(latency)
    return {
      status: 200,
      body: JSON.stringify({ access_token: accessToken, token_type: 'Bearer', expires_in: seconds }),
    }
  }

  return {
    tokenEndpoint: {
      async post({ id: server }, { write, timeouts }) {
        const { form } = await write()
        const connection = new URLSearchParams(form?.reveal()).get('scope') ?? ''
        requests.push({ server, connection, at: now() })
        underWay.move([server, 'all'], 1)
        try {
          return await answer(server, connection, timeouts.totalMilliseconds)
        } finally {
          underWay.move([server, 'all'], -1)
        }
      },
    },
    issued,
    requests,
    mostAtATime: underWay.most,
    turnThePage() {
      issued.length = 0
      requests.length = 0
      underWay.forget()
    },
  }
}

/** A JWT that does not say when it ends. Only the server's records do. */
function someJwt(number: number): string {
  return `e30.${Buffer.from(JSON.stringify({ jti: String(number) })).toString('base64url')}.e30`
}

/** Counts how many of something there are, and the most there were at one time. */
function createGauges() {
  const current = new Map<string, number>()
  const highest = new Map<string, number>()
  return {
    move(names: readonly string[], by: number): void {
      for (const name of names) {
        const value = (current.get(name) ?? 0) + by
        current.set(name, value)
        highest.set(name, Math.max(highest.get(name) ?? 0, value))
      }
    },
    most: (name: string) => highest.get(name) ?? 0,
    forget: () => highest.clear(),
  }
}
