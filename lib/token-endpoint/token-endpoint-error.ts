import { isJsonObject, parseJson } from '../base/decoding.ts'
import { operatorFindsReason, TokenwellError } from '../base/tokenwell-error.ts'

/**
 * What a failure is evidence about, if the request has no caller parameters: the way to the token endpoint, the endpoint itself, the
 * client there, the connection with its elements, or this one token. `nothing`: the caller left too little time.
 */
export type Blame = 'way' | 'endpoint' | 'client' | 'connection' | 'token' | 'nothing'

/** Every way in which a token request can fail. */
export abstract class TokenEndpointError extends TokenwellError {
  abstract override readonly code: 'unreachable' | 'timed_out' | 'unreadable_answer' | 'refused'
  abstract readonly blames: Blame
  /** Whether the caller parameters can be the reason. */
  readonly mayBeOfRequest: boolean = true
}

interface UnreachableReason {
  /** The way where no connection was opened, the client after 429, the token where it expires at once, else the endpoint. */
  readonly blames?: 'way' | 'endpoint' | 'client' | 'token'
  /** Whether the request was sent. If not, its contents can't be the reason. */
  readonly wasSent?: boolean
  readonly retryAfterSeconds?: number | undefined
  readonly isLasting?: boolean
}

/** The token endpoint doesn't answer, or asks to wait. It refused nothing. */
export class UnreachableError extends TokenEndpointError {
  readonly code = 'unreachable'
  readonly blames: 'way' | 'endpoint' | 'client' | 'token'
  override readonly mayBeOfRequest: boolean
  /** The pause that the server asked for, in seconds. */
  readonly retryAfterSeconds?: number
  /** Whether a retry can't help, as with a certificate that isn't trusted. */
  readonly isLasting: boolean

  constructor(message: string, reason: UnreachableReason = {}) {
    super(message)
    const { blames = 'way', wasSent = blames !== 'way', retryAfterSeconds, isLasting = false } = reason
    this.blames = blames
    this.mayBeOfRequest = wasSent
    if (retryAfterSeconds !== undefined) this.retryAfterSeconds = retryAfterSeconds
    this.isLasting = isLasting
  }

  override get isPassing(): boolean {
    return !this.isLasting
  }

  override get publicMessage(): string {
    if (this.blames === 'token')
      return 'The token of this connection expires within a second. Try again in 1 s: the authorization server may then issue another one.'
    return 'The authorization server cannot be reached, or asks to wait. Try again later.'
  }

  /**
   * Some servers keep a token and hand it out until its last second. The next token is a new one.
   * @param connection the connection that the token belongs to
   */
  static endsAtOnce(connection: string): UnreachableError {
    return new UnreachableError(
      `A token of the connection ${connection} has expired, or expires within a second. Its server hands out an old token, or issues tokens that live less than a second. Raise the lifetime of this client's tokens at the server.`,
      { blames: 'token', retryAfterSeconds: 1 },
    )
  }
}

interface TimedOutReason {
  readonly isServers?: boolean
  /** Whether the request was sent. If not, no connection was opened in time. */
  readonly wasSent?: boolean
}

/** The answer didn't come in time. The server may still have issued a token. */
export class TimedOutError extends TokenEndpointError {
  readonly code = 'timed_out'
  /** Whether the server had all the time that its element allows. If not, the caller's deadline was too short. */
  readonly isServers: boolean
  readonly blames: 'way' | 'endpoint' | 'nothing'
  override readonly mayBeOfRequest: boolean

  constructor(message: string, { isServers = false, wasSent = true }: TimedOutReason = {}) {
    super(message)
    this.isServers = isServers
    this.blames = isServers ? (wasSent ? 'endpoint' : 'way') : 'nothing'
    this.mayBeOfRequest = wasSent
  }

  override get isPassing(): boolean {
    return true
  }

  override get publicMessage(): string {
    return "The authorization server didn't answer in time."
  }
}

interface UnreadableAnswerReason {
  readonly blames?: UnreadableAnswerError['blames']
  /** False for metadata: no caller parameter is a part of its request. */
  readonly mayBeOfRequest?: boolean
}

/** The answer of the token endpoint doesn't follow RFC 6749 section 5, or can't be used. Or the metadata of the server can't be used. */
export class UnreadableAnswerError extends TokenEndpointError {
  readonly code = 'unreadable_answer'
  /** The token where the server issued one that is not the requested one, else the endpoint. */
  readonly blames: 'endpoint' | 'token'
  override readonly mayBeOfRequest: boolean

  constructor(message: string, { blames = 'endpoint', mayBeOfRequest = true }: UnreadableAnswerReason = {}) {
    super(message)
    this.blames = blames
    this.mayBeOfRequest = mayBeOfRequest
  }

  override get publicMessage(): string {
    return `The authorization server's answer cannot be used. ${operatorFindsReason}`
  }
}

/** RFC 6749 section 5.2. */
export interface Refusal {
  /** The server's code. For an answer without one it is made from the status, such as `http_401`. */
  readonly error: string
  /** The server's words, made safe to print. They may repeat a user's name, where one was sent. */
  readonly description?: string
  /** Whether the server refuses the client's credentials: `invalid_client`, or a 401 without a code or with a challenge. */
  readonly isOfCredentials: boolean
  /** What the operator must do, where the status says so. */
  readonly advice?: string
}

/** What the server refuses: the caller parameters, the values of the elements, or the client itself. */
export type Fault = 'caller' | 'elements' | 'client'

/** The authorization server refuses the request (RFC 6749 section 5.2). A retry can't help. */
export class RefusedError extends TokenEndpointError {
  readonly code = 'refused'
  /** The server's `error`, such as `invalid_client`. */
  readonly error: string
  readonly fault: Fault
  readonly blames: 'client' | 'connection' | 'token'
  override readonly mayBeOfRequest: boolean
  /** Present where the clocks may be the reason, and Tokenwell can adjust to the server's. */
  readonly clockOffset?: ClockOffset
  /** The message with the server's words, where only the caller may read them: they may repeat a user's name. */
  private readonly callersMessage?: string
  /** Which client was refused. Absent where another instance made the token request. */
  private readonly client?: RefusedClient
  private readonly mayBeOfAssertion: boolean

  constructor(message: string, error: string, fault: Fault, details: RefusalDetails = {}) {
    super(message)
    const { isOfCredentials, clockOffset, callersMessage, client, mayBeOfAssertion = false } = details
    this.error = error
    this.fault = fault
    this.blames = blamedBy(error, isOfCredentials)
    this.mayBeOfRequest = error !== 'invalid_client' || fault === 'caller'
    this.mayBeOfAssertion = mayBeOfAssertion && error === 'invalid_grant'
    if (clockOffset) this.clockOffset = clockOffset
    if (callersMessage !== undefined) this.callersMessage = callersMessage
    if (client) this.client = client
  }

  /** The caller of a refused scope or resource gets the message, so that only the operator gets the client id. */
  override get reason(): string {
    if (this.fault === 'caller') return this.message
    if (!this.client) return `${this.message} The log event token_request_refused has what was sent.`
    const { clientId, connection } = this.client
    return `${this.message} Check the client ${clientId} of the connection ${connection}: the log event token_request_refused has what was sent.`
  }

  /**
   * Whether the client's key, password or clock may be the reason. Servers have many codes for that; `invalid_client` is only one of
   * them.
   */
  get mayBeOfCredentials(): boolean {
    return (this.fault !== 'caller' || this.mayBeOfAssertion) && !codesOfRequests.includes(this.error)
  }

  /** The same refusal, after a control request has shown that the caller parameters are the reason. */
  asCallers(): RefusedError {
    return new RefusedError(this.message, this.error, 'caller')
  }

  override get publicMessage(): string {
    if (this.fault === 'caller') return this.callersMessage ?? this.message
    if (this.fault === 'elements')
      return `The authorization server refused what this connection is configured to request (${this.error}). ${operatorFindsReason}`
    return `The authorization server refused this connection's client (${this.error}). ${operatorFindsReason}`
  }

  static of({ error, description, isOfCredentials }: Refusal, server: string, fault: Fault, more: RefusalContext = {}) {
    const { advice, isForUser = false, clockOffset, client, mayBeOfAssertion } = more
    const sentence = (words: string | undefined) => {
      const said = words?.replace(/\.$/, '')
      const refusal = said ? `${error} (${said})` : error
      const whatToDo = advice === undefined ? '' : ` ${advice}`
      return `The authorization server ${server} refused the token request: ${refusal}.${whatToDo}`
    }
    return new RefusedError(sentence(isForUser ? undefined : description), error, fault, {
      isOfCredentials,
      ...(isForUser && { callersMessage: sentence(description) }),
      ...(clockOffset && { clockOffset }),
      ...(client && { client }),
      ...(mayBeOfAssertion && { mayBeOfAssertion }),
    })
  }
}

/** How far the server's clock is ahead of Tokenwell's. A guess is added to the offset that is known so far. */
export interface ClockOffset {
  readonly milliseconds: number
  readonly isGuess: boolean
}

interface RefusalDetails {
  readonly isOfCredentials?: boolean
  readonly clockOffset?: ClockOffset
  readonly callersMessage?: string
  readonly client?: RefusedClient
  readonly mayBeOfAssertion?: boolean
}

interface RefusedClient {
  readonly clientId: string
  readonly connection: string
}

interface RefusalContext {
  readonly client?: RefusedClient
  readonly clockOffset?: ClockOffset | undefined
  /** What the operator must do. */
  readonly advice?: string | undefined
  /** Whether the request names a user. */
  readonly isForUser?: boolean
  /** Whether the grant is an assertion: with `invalid_grant` its key or the clock may be the reason, as well as the user. */
  readonly mayBeOfAssertion?: boolean
}

/** These codes are about what is asked for (RFC 6749 section 5.2, RFC 8707 section 2, RFC 9396 section 5). */
const codesOfParameters: readonly string[] = ['invalid_scope', 'invalid_target', 'invalid_authorization_details']
/** These codes are about the request. An unknown client gets another code. */
const codesOfRequests: readonly string[] = [...codesOfParameters, 'unsupported_grant_type']

/** A refused scope or resource is not a failure of the client, which may still get other tokens. */
function blamedBy(error: string, isOfCredentials = error === 'invalid_client'): RefusedError['blames'] {
  if (isOfCredentials) return 'client'
  return codesOfParameters.includes(error) ? 'token' : 'connection'
}

/** A failure in the form in which the fleet shares it. It holds no secret: every caller may get its message. */
export function writeFailure(error: TokenEndpointError): string {
  const { code, message } = error
  return JSON.stringify({
    code,
    message,
    ...(error instanceof RefusedError && { error: error.error, fault: error.fault }),
  })
}

/** @returns undefined for a text that this version of Tokenwell doesn't write */
export function readFailure(text: string): TokenEndpointError | undefined {
  const written = parseJson(text)
  const { code, message, error, fault } = isJsonObject(written) ? written : {}
  if (typeof message !== 'string') return undefined
  switch (code) {
    case 'unreachable':
      return new UnreachableError(message)
    case 'timed_out':
      return new TimedOutError(message)
    case 'unreadable_answer':
      return new UnreadableAnswerError(message)
    case 'refused':
      if (typeof error !== 'string' || (fault !== 'caller' && fault !== 'elements' && fault !== 'client'))
        return undefined
      return new RefusedError(message, error, fault)
    default:
      return undefined
  }
}
