import type { ElementReference } from '../configuration/element.ts'
import type { TokenwellEvent } from './tokenwell-event.ts'

/** What is heard on the stack's own bus and on the account's default bus. It only says what to look at. */
export type IncomingEvent =
  | Extract<TokenwellEvent, { readonly type: 'TokenRefreshRequested' | 'TokenRejected' | 'ConnectionChanged' }>
  /** An operator's: without a connection those of all connections. */
  | { readonly type: 'ClearTokenCache'; readonly connection?: string }
  /** The schedule's: whatever events were lost. */
  | { readonly type: 'ReconcileElements' }
  /** It was written, deleted or labelled. */
  | ({ readonly type: 'ElementChanged' } & ElementReference)
  /** It has a new current version. */
  | { readonly type: 'SecretChanged'; readonly name: string }
  /** Read and understood, and nobody's business. */
  | { readonly type: 'Ignored'; readonly why: string }
