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
      readonly event: 'token_handed_out'
      readonly connection: string
      readonly source: 'memory' | 'cache' | 'server'
      readonly secondsLeft: number
    }
  | {
      readonly event: 'request_failed'
      readonly code: string
      readonly status: number
      /** For the operator. */
      readonly reason: string
      readonly requestId: string
    }

/** Port: takes an event down. It never throws and nobody waits for it. */
export type Log = (event: LogEvent) => void
