import { type Failed, type OfConnection, row, type ToldAssertion, type Took } from './event-row.ts'

/** Which requests wait for the end of a cool-down. */
const concerned = {
  way: (server: string) => `all connections that reach ${server} the same way: endpoint, proxy and TLS settings`,
  endpoint: (server: string) => `all connections to the token endpoint of ${server}`,
  client: (server: string) => `all connections of this client at ${server}`,
  connection: () => 'this connection',
  token: () => 'this token',
  variants: (server: string) => `requests with caller parameters for this client at ${server}`,
  caller: () => 'requests with caller parameters for this connection',
} as const

type CoolsDown = keyof typeof concerned
const tokensFrom = { memory: 'TokensFromMemory', cache: 'TokensFromCache', server: 'TokensFromServer' } as const

/** Token requests, and the tokens that callers get. */
export const tokenEvents = {
  connection_resolved: row<OfConnection & Took>({
    level: 'info',
    sentence: (event) =>
      `Read the elements of the connection ${event.connection} and followed their references in ${event.milliseconds} ms.`,
  }),
  /** The metadata of an issuer says where its token endpoint is. */
  server_discovered: row<
    OfConnection & Took & { readonly authorizationServer: string; readonly tokenEndpoint: string }
  >({
    level: 'info',
    sentence: ({ authorizationServer, tokenEndpoint, milliseconds }) =>
      `The metadata of ${authorizationServer} names the token endpoint ${tokenEndpoint}. Reading it took ${milliseconds} ms.`,
  }),
  /** An endpoint that is known counts for up to a day after its metadata was read. */
  discovery_failed: row<OfConnection & Failed & { readonly authorizationServer: string }>({
    level: 'warn',
    metrics: () => ({ TokenRequestsFailed: 1 }),
    dimensions: ['connection', 'authorizationServer'],
    sentence: ({ authorizationServer, reason }) =>
      `The metadata of ${authorizationServer} does not say where its token endpoint is: ${reason}`,
    isShownWhileServing: true,
  }),
  /** The metadata names a token endpoint on a host that the elements do not name. Tokenwell sends nothing there. */
  token_endpoint_on_new_host: row<OfConnection & { readonly authorizationServer: string; readonly host: string }>({
    level: 'warn',
    metrics: () => ({ TokenEndpointsRefused: 1 }),
    dimensions: ['connection', 'authorizationServer'],
    sentence: ({ authorizationServer, host }) =>
      `The metadata of ${authorizationServer} names a token endpoint on the host ${host}, which its elements do not name. Ask the operator of the server. If it is right, add the host to tokenEndpointHosts of authorizationServer/${authorizationServer}.`,
    isShownWhileServing: true,
  }),
  /** Once in a process for each connection. */
  metadata_differs: row<
    OfConnection & { readonly element: string; readonly attribute: string; readonly reason: string }
  >({
    level: 'warn',
    sentence: ({ element, attribute, reason }) => `${element} ${attribute}: ${reason}`,
    isShownWhileServing: true,
  }),
  client_authenticated: row<OfConnection & Took & { readonly method: string }>({
    level: 'info',
    sentence: (event) => `Made the client authentication ${event.method} in ${event.milliseconds} ms.`,
  }),
  /** No event holds a claim of the token: it may name a user. */
  token_signed: row<OfConnection & Took & { readonly element: string; readonly kid?: string | undefined }>({
    level: 'info',
    sentence: ({ connection, element, milliseconds }) =>
      `Tokenwell signed the token ${element} of the connection ${connection} in ${milliseconds} ms.`,
  }),
  token_obtained: row<OfConnection & Took & { readonly authorizationServer: string }>({
    level: 'info',
    metrics: (event) => ({ TokenRequestDuration: event.milliseconds }),
    dimensions: ['connection', 'authorizationServer'],
    sentence: (event) => `${event.authorizationServer} issued a token in ${event.milliseconds} ms.`,
  }),
  /** One event for each attempt. */
  token_request_failed: row<
    OfConnection &
      Took & {
        readonly authorizationServer: string
        /** The code of a `TokenEndpointError`. */
        readonly code: string
      }
  >({
    level: 'info',
    metrics: ({ code }) => ({ [code === 'refused' ? 'TokenRequestsRefused' : 'TokenRequestsFailed']: 1 }),
    dimensions: ['connection', 'authorizationServer'],
    sentence: (event) => `${event.authorizationServer} issued no token: ${event.code} after ${event.milliseconds} ms.`,
  }),
  /** What was sent in a refused token request, so that a wrong key, audience, issuer and clock can be told apart. */
  token_request_refused: row<
    OfConnection & {
      readonly authorizationServer: string
      readonly tokenEndpoint: string
      readonly status: number
      /** The server's code, such as `invalid_client`. */
      readonly error: string
      /** Includes the server's words, unless the request had a user's name and password. */
      readonly reason: string
      /** The elements of the connection, such as `jwtBuilder/jwt`. */
      readonly elements: readonly string[]
      readonly clientId: string
      /** Whether the client id was also sent outside the assertion. */
      readonly sendsClientId: boolean
      /** The assertion that authenticates the client. */
      readonly assertion?: ToldAssertion
      /** The assertion that is the grant. */
      readonly grantAssertions?: readonly ToldAssertion[]
    }
  >({
    level: 'warn',
    sentence({ connection, status, reason, elements, clientId, assertion, grantAssertions = [] }) {
      const assertions = [
        ...(assertion ? [`the assertion ${JSON.stringify(assertion)}`] : []),
        ...grantAssertions.map((grantAssertion) => `the assertion ${JSON.stringify(grantAssertion)} as its grant`),
      ]
      const sent = assertions.length > 0 ? assertions.join(' and ') : 'no assertion'
      const toCheck = elements.join(', ')
      return `${reason} The status was ${status}. The connection ${connection} sent ${sent} for the client ${clientId}. Check its elements: ${toCheck}.`
    },
    isShownWhileServing: true,
  }),
  /** The token is handed out without a member that `passOn` names. No event holds the value of such a member. */
  answer_member_left_out: row<OfConnection & { readonly member: string; readonly reason: string }>({
    level: 'info',
    sentence: (event) =>
      `The authorization server of the connection ${event.connection} issued a token. Its answer's member ${event.member} is not passed on: ${event.reason}`,
    isShownWhileServing: true,
  }),
  /** The audit event of every token that a caller got. */
  token_issued: row<
    OfConnection & {
      readonly caller: string
      readonly tokenId: string
      readonly source: 'memory' | 'cache' | 'server'
      readonly secondsLeft: number
    }
  >({
    level: 'info',
    metrics: ({ source, secondsLeft }) => ({ [tokensFrom[source]]: 1, SecondsLeft: secondsLeft }),
    dimensions: ['connection'],
    sentence: (event) =>
      `The caller ${event.caller} got a token from: ${event.source}. It is valid for ${event.secondsLeft} s.`,
  }),
  token_request_repeated: row<
    OfConnection & {
      /** The number of attempts so far. */
      readonly attempt: number
      /** Until the next attempt. */
      readonly milliseconds: number
    }
  >({
    level: 'info',
    sentence({ attempt, milliseconds }) {
      const wait = Math.round(milliseconds)
      return `Attempt ${attempt} failed. The next attempt follows in ${wait} ms.`
    },
  }),
  /** No token request is made for what `of` names, for the connection or for one caller only. */
  cool_down_begun: row<
    OfConnection & {
      readonly authorizationServer: string
      readonly of: CoolsDown
      readonly code: string
      readonly seconds: number
      /** Present if the cool-down is for one caller only. */
      readonly caller?: string
    }
  >({
    level: 'info',
    sentence({ of, authorizationServer, code, seconds, caller }) {
      const waiting = concerned[of](authorizationServer) + (caller === undefined ? '' : ` by ${caller}`)
      return `A token request failed (${code}). For ${seconds} s, Tokenwell makes no token request for ${waiting}.`
    },
  }),
  /** The server issued a token, or answered at all, so requests are allowed again. */
  cool_down_ended: row<OfConnection & { readonly of: CoolsDown }>({
    level: 'info',
    sentence: ({ connection, of }) =>
      `The server answered a request of the connection ${connection}. The cool-down of its ${of} has ended.`,
  }),
  /** `milliseconds`: how far the server's clock is ahead of Tokenwell's. */
  clock_offset_learned: row<{ readonly authorizationServer: string; readonly milliseconds: number }>({
    level: 'info',
    sentence: (event) =>
      `The clock of ${event.authorizationServer} is ${event.milliseconds} ms ahead of this one. Tokenwell repeats the request with the server's time.`,
  }),
  /** After `invalid_client`: the request is repeated with the current secret. */
  newer_secret_found: row<OfConnection>({
    level: 'info',
    sentence: (event) =>
      `The server refused the client of the connection ${event.connection}, but its secret has changed. Tokenwell repeats the request with the new secret.`,
  }),
  /**
   * After `invalid_client`: the request is repeated with the previous key or password. The operator must register the new
   * one.
   */
  previous_key_tried: row<OfConnection>({
    level: 'warn',
    sentence: (event) =>
      `The server refused the client of the connection ${event.connection}. Tokenwell repeats the request with the previous key or password. Register the new one at the server.`,
  }),
} as const
