/** The catalogue of what happens. No event holds a secret, an assertion, a token, or a user's name. */
export type LogEvent =
  | { readonly event: 'connection_resolved'; readonly connection: string; readonly milliseconds: number }
  | {
      readonly event: 'client_authenticated'
      readonly connection: string
      readonly method: string
      readonly milliseconds: number
    }
  | {
      readonly event: 'token_obtained'
      readonly connection: string
      readonly authorizationServer: string
      readonly milliseconds: number
    }
  | {
      /** Each attempt by itself. */
      readonly event: 'token_request_failed'
      readonly connection: string
      readonly authorizationServer: string
      /** That of a `TokenEndpointError`. */
      readonly code: string
      readonly milliseconds: number
    }
  | {
      readonly event: 'token_handed_out'
      readonly connection: string
      readonly source: 'memory' | 'cache' | 'server'
      readonly secondsLeft: number
    }
  | {
      readonly event: 'token_request_repeated'
      readonly connection: string
      /** How many there were. */
      readonly attempt: number
      /** Until the next one. */
      readonly milliseconds: number
    }
  | {
      readonly event: 'cool_down_begun'
      readonly connection: string
      readonly of: 'token' | 'client' | 'user' | 'endpoint'
      readonly code: string
    }
  | {
      /** How far a server's clock is ahead of ours. */
      readonly event: 'clock_offset_learned'
      readonly authorizationServer: string
      readonly milliseconds: number
    }
  | {
      /** After `invalid_client`: once more with the secret as it is now. */
      readonly event: 'newer_secret_found'
      readonly connection: string
    }
  | {
      /** After `invalid_client`: once more by the key, or password, that was current before. The new one is to be registered. */
      readonly event: 'previous_key_tried'
      readonly connection: string
    }
  | {
      /** The elements can't be read again, or have mistakes by now: the last good ones serve on. */
      readonly event: 'reload_failed'
      readonly connection: string
      readonly code: string
      readonly reason: string
    }
  | {
      /** The shared cache failed or was too slow: for a while this process goes on without it. */
      readonly event: 'cache_passed_over'
      readonly reason: string
      readonly milliseconds: number
    }
  | {
      /** What stands in the shared cache as a token is none: a miss. */
      readonly event: 'cached_token_unreadable'
      readonly connection: string
      readonly reason: string
    }
  | {
      /** A token was not renewed in time, or not at all; if it is still good it is handed out all the same. */
      readonly event: 'renewal_failed'
      readonly connection: string
      readonly code: string
      readonly reason: string
    }
  | {
      /** The event bus did not take it. What it would have brought about its reader does himself, or comes later. */
      readonly event: 'event_not_raised'
      readonly connection: string
      readonly type: string
      readonly reason: string
    }
  | {
      readonly event: 'warm_run_ended'
      readonly due: number
      readonly renewed: number
      readonly failed: number
      /** For the next run: there was no time for them. */
      readonly left: number
      readonly milliseconds: number
    }
  | { readonly event: 'event_answered'; readonly type: string; readonly milliseconds: number }
  | {
      readonly event: 'event_failed'
      readonly type: string
      readonly code: string
      readonly reason: string
      /** Which one it was. */
      readonly attempt: number
      /** Whether it goes to the dead-letter queue now. */
      readonly isLast: boolean
    }
  | {
      /** It stays in its queue, which moves it later, without a reason. */
      readonly event: 'dead_letter_not_taken'
      readonly code: string
      readonly reason: string
    }
  | {
      readonly event: 'rotation_step_done'
      readonly jwtBuilder: string
      readonly step: string
      readonly milliseconds: number
    }
  | {
      readonly event: 'rotation_failed'
      /** Absent, as the step, where it isn't known for which one it was asked. */
      readonly jwtBuilder?: string
      readonly step?: string
      readonly code: string
      readonly reason: string
    }
  | {
      readonly event: 'keys_published'
      readonly jwtBuilder: string
      /** How many anybody may see. */
      readonly keys: number
      /** Of the one that signs, where it is rotated: since when. */
      readonly keyAgeSeconds?: number
      /** Of one that Tokenwell makes: whether the next one has not come in time. */
      readonly isKeyOverdue?: boolean
    }
  | {
      /** What was published stays. */
      readonly event: 'publication_failed'
      readonly jwtBuilder: string
      readonly code: string
      readonly reason: string
    }
  | {
      /** Whatever the answer. */
      readonly event: 'api_called'
      readonly connection: string
      readonly status: number
      readonly milliseconds: number
    }
  | {
      /** No answer, or none that can be passed on. */
      readonly event: 'api_call_failed'
      readonly connection: string
      /** An error type of RFC 9209. */
      readonly code: string
      readonly milliseconds: number
    }
  | {
      /** Once more: with another token, or over another connection. */
      readonly event: 'api_call_repeated'
      readonly connection: string
      readonly reason: 'token_rejected' | 'dead_connection'
    }
  | {
      readonly event: 'request_failed'
      readonly code: string
      readonly status: number
      /** For the operator. */
      readonly reason: string
      readonly requestId: string
      /** Where the request names one that may be. */
      readonly connection?: string
    }

/** Port: takes an event down. It never throws and nobody waits for it. */
export type Log = (event: LogEvent) => void
