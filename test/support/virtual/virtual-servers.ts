import type { TokenEndpoint, TokenEndpointAnswer } from '../../../lib/token-endpoint/token-endpoint.ts'
import { TimedOutError, UnreachableError } from '../../../lib/token-endpoint/token-endpoint-error.ts'
import type { VirtualTime } from './virtual-time.ts'

/** A token as its server has it in its book. Milliseconds since the epoch. */
export interface IssuedToken {
  readonly connection: string
  readonly accessToken: string
  readonly issuedAt: number
  readonly expiresAt: number
  /** When its client has the answer. */
  readonly arrivesAt: number
}

export interface VirtualServersParts {
  readonly time: VirtualTime
  readonly lifetimeSeconds: (connection: string) => number
  readonly latencyMilliseconds: () => number
  /** `silent`: it takes the request and never answers. */
  readonly state?: (server: string, at: number) => 'fine' | 'down' | 'silent'
}

/** Authorization servers on the same clock, with a book of their own: what they note is not what their client believes. */
export interface VirtualServers {
  readonly tokenEndpoint: TokenEndpoint
  /** In the order in which they were issued. */
  readonly issued: readonly IssuedToken[]
  /** Times at which a server had a request, answered or not. */
  readonly requests: readonly { readonly server: string; readonly connection: string; readonly at: number }[]
  /** Most requests that a server, or all together (`all`), had under way at one moment. */
  mostAtATime(server: string): number
  /** What was noted is forgotten; what was issued stays good. */
  turnThePage(): void
}

/** A connection is known by its scope. */
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

  /** As soon as the request is there, so that nothing lives longer than it seems. */
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
      async post({ id: server }, { form, timeouts }) {
        const connection = new URLSearchParams(form.reveal()).get('scope') ?? ''
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

/** One that says nothing of its end: only the book does. */
function someJwt(number: number): string {
  return `e30.${Buffer.from(JSON.stringify({ jti: String(number) })).toString('base64url')}.e30`
}

/** How many there are of something, and how many there were at most. */
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
