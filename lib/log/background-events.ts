import { type Failed, type OfConnection, row, type Took } from './event-row.ts'

/** Work that no caller waits for. */
export const backgroundEvents = {
  /** A token was not renewed in time, or not at all. As long as it is valid, it is still handed out. */
  renewal_failed: row<OfConnection & Failed>({
    level: 'warn',
    sentence: (event) => `A token of the connection ${event.connection} was not renewed: ${event.reason}`,
    isShownWhileServing: true,
  }),
  /** The event bus did not take an event. The instance does the work of the event itself, or the work is done later. */
  event_not_raised: row<Partial<OfConnection> & { readonly type: string; readonly reason: string }>({
    level: 'warn',
    sentence: (event) => `The event ${event.type} was not raised: ${event.reason}`,
    isShownWhileServing: true,
  }),
  warm_run_ended: row<
    Took & {
      readonly due: number
      readonly renewed: number
      readonly failed: number
      /** Tokens for which there was no time. They are left to the next run. */
      readonly left: number
      /** The authorization servers of these tokens. */
      readonly leftAt: readonly string[]
    }
  >({
    level: 'info',
    metrics: ({ renewed, failed, left, milliseconds }) => {
      return { WarmRenewed: renewed, WarmFailed: failed, WarmLeft: left, WarmRunDuration: milliseconds }
    },
    sentence({ due, renewed, failed, left, leftAt, milliseconds }) {
      const servers = leftAt.length === 0 ? '' : ` They are tokens of: ${leftAt.join(', ')}.`
      return `The warm run took ${milliseconds} ms: ${due} tokens due, ${renewed} renewed, ${failed} failed, ${left} left to the next run.${servers}`
    },
    isShownWhileServing: true,
  }),
  /**
   * An operator's event cleared nothing, as the same tokens were cleared less than 30 s ago. Without a connection: all
   * connections.
   */
  clearing_skipped: row<Partial<OfConnection>>({
    level: 'info',
    sentence: ({ connection = 'all connections' }) =>
      `Not cleared again: the tokens of ${connection} were cleared less than 30 s ago.`,
    isShownWhileServing: true,
  }),
  event_answered: row<Took & { readonly type: string }>({
    level: 'info',
    metrics: ({ type }) => (type === 'ReconcileElements' ? { Reconciliations: 1 } : undefined),
    sentence: (event) => `The event ${event.type} was handled in ${event.milliseconds} ms.`,
    isShownWhileServing: true,
  }),
  /** The connection is present if the event names one. */
  event_failed: row<
    Partial<OfConnection> &
      Failed & {
        readonly type: string
        /** The number of this attempt. */
        readonly attempt: number
        /** Whether the event now goes to the dead-letter queue. */
        readonly isLast: boolean
      }
  >({
    level: 'warn',
    metrics: () => ({ EventsFailed: 1 }),
    sentence({ type, connection, attempt, reason }) {
      const where = connection === undefined ? '' : ` for the connection ${connection}`
      return `Attempt ${attempt} at the event ${type}${where} failed: ${reason}`
    },
    isShownWhileServing: true,
  }),
  /** The event stays in its queue. The queue moves it later, without a reason. */
  dead_letter_not_taken: row<Failed>({
    level: 'warn',
    sentence: (event) => `The dead-letter queue did not take an event: ${event.reason}`,
  }),
  /** The names are at most the first 50. */
  elements_planned: row<{
    readonly created: number
    readonly changed: number
    readonly deleted: number
    readonly unchanged: number
    readonly names: string
  }>({
    level: 'info',
    sentence: ({ created, changed, deleted, unchanged, names }) =>
      `Elements to create: ${created}, to change: ${changed}, to delete: ${deleted}; ${unchanged} stay as they are. ${names}`,
  }),
  elements_written: row<Took>({
    level: 'info',
    sentence: (event) => `All elements are written (${event.milliseconds} ms).`,
  }),
  elements_not_written: row<Failed>({
    level: 'warn',
    sentence: (event) => `The elements were not written: ${event.reason}`,
  }),
} as const
