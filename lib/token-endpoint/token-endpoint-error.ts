import { isJsonObject, parseJson } from '../base/decoding.ts'
import { operatorFindsReason, TokenwellError } from '../base/tokenwell-error.ts'

/**
 * What a failure speaks about, if the request held nothing that a caller added: the way to the token endpoint, the endpoint itself,
 * the client there, the connection with its elements, or this one token. `nothing`: the caller left too little time.
 */
export type Blame = 'way' | 'endpoint' | 'client' | 'connection' | 'token' | 'nothing'

/** What a token endpoint can do to us. */
export abstract class TokenEndpointError extends TokenwellError {
  abstract override readonly code: 'unreachable' | 'timed_out' | 'unreadable_answer' | 'refused'
  abstract readonly blames: Blame
  /** Whether what a caller added to the request can be the reason. */
  readonly mayBeOfRequest: boolean = true
}

interface UnreachableReason {
  /** The way where there was no connection, the client after 429, the token where it ends at once, the endpoint otherwise. */
  readonly blames?: 'way' | 'endpoint' | 'client' | 'token'
  /** Whether the request was sent: otherwise nothing in it can be the reason. */
  readonly wasSent?: boolean
  readonly retryAfterSeconds?: number | undefined
  readonly isLasting?: boolean
}

/** Nobody answers at the token endpoint, or it says to come back later. Nothing was refused. */
export class UnreachableError extends TokenEndpointError {
  readonly code = 'unreachable'
  readonly blames: 'way' | 'endpoint' | 'client' | 'token'
  override readonly mayBeOfRequest: boolean
  /** As the server asked, in seconds. */
  readonly retryAfterSeconds?: number
  /** Whether asking again at once is of no use, as with a certificate that isn't trusted. */
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
    if (this.blames === 'token') return 'The authorization server hands out a token that ends within a second.'
    return "The authorization server can't be reached, or asks to wait."
  }

  /**
   * Some servers hand out the last second of a token that they have kept. The next one is a new one.
   * @param of whose token it is
   */
  static endsAtOnce(of: string): UnreachableError {
    const message = `A token ${of} has ended, or does within a second: its server hands out the rest of one that it has kept, or none that lives longer.`
    return new UnreachableError(message, { blames: 'token', retryAfterSeconds: 1 })
  }
}

interface TimedOutReason {
  readonly isServers?: boolean
  /** Whether the request was sent: otherwise there was no connection in time. */
  readonly wasSent?: boolean
}

/** The answer didn't come in time. The server may have issued a token all the same. */
export class TimedOutError extends TokenEndpointError {
  readonly code = 'timed_out'
  /** Whether the server had all the time that its element gives it: else the caller was in a hurry. */
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

/** What came from the token endpoint is no answer by RFC 6749 section 5, or can't be used. */
export class UnreadableAnswerError extends TokenEndpointError {
  readonly code = 'unreadable_answer'
  readonly blames = 'endpoint'

  override get publicMessage(): string {
    return `The authorization server's answer can't be used. ${operatorFindsReason}`
  }
}

/** RFC 6749 section 5.2. */
export interface Refusal {
  /** The server's own code, or `http_401` and `http_403` for an answer without one. */
  readonly error: string
  /** The server's text, made fit to print. It may repeat a user's name, where one was sent. */
  readonly description?: string
  /** Whether the server refuses the client's credentials: `invalid_client`, or a 401 that asks for others. */
  readonly isOfCredentials: boolean
}

/** What the server refuses: what the caller asked for, what the elements say, or the client itself. */
export type Fault = 'caller' | 'elements' | 'client'

/** The authorization server says no (RFC 6749 section 5.2). Asking again changes nothing. */
export class RefusedError extends TokenEndpointError {
  readonly code = 'refused'
  /** The server's own `error`, such as `invalid_client`. */
  readonly error: string
  readonly fault: Fault
  readonly blames: 'client' | 'connection' | 'token'
  override readonly mayBeOfRequest: boolean
  /** Present where the clocks may be the reason, and that can be made up for. */
  readonly clockOffset?: ClockOffset
  /** With the server's words where nobody but the caller may read them: they may repeat a user's name. */
  private readonly callersMessage?: string

  constructor(message: string, error: string, fault: Fault, details: RefusalDetails = {}) {
    super(message)
    const { isOfCredentials, clockOffset, callersMessage } = details
    this.error = error
    this.fault = fault
    this.blames = blamedBy(error, isOfCredentials)
    this.mayBeOfRequest = error !== 'invalid_client'
    if (clockOffset) this.clockOffset = clockOffset
    if (callersMessage !== undefined) this.callersMessage = callersMessage
  }

  /**
   * Whether the client's key, password or clock may not be what the server knows. Servers have many codes for that, of which
   * `invalid_client` is but one.
   */
  get mayBeOfCredentials(): boolean {
    return this.fault !== 'caller' && !codesOfRequests.includes(this.error)
  }

  /** The same where it has turned out that the reason is what the caller added. */
  asCallers(): RefusedError {
    return new RefusedError(this.message, this.error, 'caller')
  }

  override get publicMessage(): string {
    if (this.fault === 'caller') return this.callersMessage ?? this.message
    const refused = this.fault === 'elements' ? 'what is configured for this connection' : "this connection's client"
    return `The authorization server refuses ${refused} (${this.error}). ${operatorFindsReason}`
  }

  static of({ error, description, isOfCredentials }: Refusal, server: string, fault: Fault, more: RefusalContext = {}) {
    const { advice, isForUser = false, clockOffset } = more
    const sentence = (words: string | undefined) =>
      [
        `The authorization server ${server} refuses: ${error}${words ? ` (${words.replace(/\.$/, '')})` : ''}.`,
        ...(advice === undefined ? [] : [advice]),
      ].join(' ')
    return new RefusedError(sentence(isForUser ? undefined : description), error, fault, {
      isOfCredentials,
      ...(isForUser && { callersMessage: sentence(description) }),
      ...(clockOffset && { clockOffset }),
    })
  }
}

/** How far the server's clock is ahead of ours; of a guess, ahead of what it was taken for. */
export interface ClockOffset {
  readonly milliseconds: number
  readonly isGuess: boolean
}

interface RefusalDetails {
  readonly isOfCredentials?: boolean
  readonly clockOffset?: ClockOffset
  readonly callersMessage?: string
}

interface RefusalContext {
  readonly clockOffset?: ClockOffset | undefined
  /** What the operator can do about it. */
  readonly advice?: string | undefined
  /** Whether a user's name and password were sent. */
  readonly isForUser?: boolean
}

/** They speak of what was asked for: a client that isn't known gets another one. */
const codesOfRequests: readonly string[] = ['invalid_scope', 'invalid_target', 'unsupported_grant_type']

/** What an element sets as scope or resource is no fault of the client: other tokens may be had. */
function blamedBy(error: string, isOfCredentials = error === 'invalid_client'): RefusedError['blames'] {
  if (isOfCredentials) return 'client'
  return error === 'invalid_scope' || error === 'invalid_target' ? 'token' : 'connection'
}

/** A failure as the fleet shares it. Its message is told to every caller anyway. */
export function writeFailure(error: TokenEndpointError): string {
  const { code, message } = error
  return JSON.stringify({
    code,
    message,
    ...(error instanceof RefusedError && { error: error.error, fault: error.fault }),
  })
}

/** @returns undefined for a text that this version doesn't write */
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
