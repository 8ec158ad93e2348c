import { buildersOfElement, buildersOfSecret, dependentConnections } from '../configuration/dependents.ts'
import type { Deployment } from '../configuration/deployment.ts'
import type { ElementStore } from '../configuration/element-store.ts'
import { type EventBus, raiseInTurn } from '../events/event-bus.ts'
import type { TokenRecords } from '../fleet/fleet-records.ts'
import { recordNameOf } from '../fleet/record-store.ts'
import type { SecretsMark } from '../fleet/secrets-version.ts'
import type { RejectToken } from '../get-token/reject-token.ts'
import { ignoreCoolingDown } from '../get-token/token-error.ts'
import type { KeyPublisher } from '../key-lifecycle/publish-keys.ts'
import type { Announce } from './announce-renewals.ts'
import type { IncomingEvent } from './incoming-event.ts'
import type { ClearConnection, RefreshConnection } from './refresh-connection.ts'
import type { Renewal, RenewToken } from './renew-token.ts'
import { aheadMilliseconds } from './warm-tokens.ts'

/**
 * Does what an event asks for: an event only says what to look at, so that one that comes twice, late or out of order does
 * no harm.
 * @param deadline milliseconds since the epoch
 * @throws what kept a token from being renewed, unless it was cleared
 */
export type AnswerEvent = (event: IncomingEvent, deadline: number) => Promise<void>

export interface AnswerEventParts {
  readonly elements: ElementStore
  readonly records: TokenRecords
  readonly rejectToken: RejectToken
  readonly renewToken: RenewToken
  readonly refreshConnection: RefreshConnection
  readonly clearConnection: ClearConnection
  readonly secretsMark: SecretsMark
  readonly events: EventBus
  readonly announce: Announce
  readonly now: () => number
}

export function createAnswerEvent(parts: AnswerEventParts): AnswerEvent {
  const { elements, records, rejectToken, renewToken, refreshConnection, clearConnection, secretsMark } = parts
  const { events, announce, now } = parts

  return async (event, deadline) => {
    const renewals = await renewalsOf(event, deadline)
    await announce(renewals)
    // What failed is due, and asked for by a warm run: to clear once more would end tokens that are good.
    if (event.type === 'ClearTokenCache') return
    for (const renewal of renewals)
      if (renewal.outcome === 'failed' || renewal.outcome === 'cooling_down') throw renewal.error
  }

  async function renewalsOf(event: IncomingEvent, deadline: number): Promise<readonly Renewal[]> {
    switch (event.type) {
      case 'TokenRefreshRequested':
        return renew(event, now() + aheadMilliseconds, deadline)
      case 'TokenRejected':
        await rejectToken(event.connection, event.tokenId).catch(ignoreCoolingDown)
        return renew(event, -Infinity, deadline)
      case 'ConnectionChanged':
        return refreshConnection(event.connection, deadline)
      case 'ElementChanged':
        await raiseForEach('ConnectionChanged', await dependentConnections(elements, event))
        return []
      case 'ReconcileElements':
        await raiseForEach('ConnectionChanged', await inUse(await elements.ids('endpointConnection'), deadline))
        return []
      case 'SecretChanged':
        await secretsMark.move(deadline)
        return []
      case 'ClearTokenCache':
        if (event.connection !== undefined) return clearConnection(event.connection, deadline)
        await raiseForEach('ClearTokenCache', await elements.ids('endpointConnection'))
        return []
      case 'Ignored':
        return []
    }
  }

  async function renew(
    { connection, tokenId }: { readonly connection: string; readonly tokenId: string },
    freshUntil: number,
    deadline: number,
  ): Promise<readonly Renewal[]> {
    const name = recordNameOf(connection, tokenId)
    return name ? [await renewToken({ name, tokenId, freshUntil, deadline })] : []
  }

  /** Each in a message of its own: one that fails is repeated by itself. */
  function raiseForEach(type: 'ConnectionChanged' | 'ClearTokenCache', names: readonly string[]): Promise<void> {
    return raiseInTurn(
      events,
      names.map((connection) => ({ type, connection })),
    )
  }

  /** Those of which the fleet has had a token. */
  async function inUse(names: readonly string[], deadline: number): Promise<string[]> {
    const known = await records.readConnections(names, deadline)
    return names.filter((_name, position) => known[position] !== undefined)
  }
}

export interface PublishAfterEventParts {
  readonly elements: ElementStore
  readonly deployment: Deployment
  readonly keyPublisher: KeyPublisher
}

/** The same, and public keys are published that an event may have changed: servers should know them before they are used. */
export function withKeysPublished(answerEvent: AnswerEvent, parts: PublishAfterEventParts): AnswerEvent {
  const { elements, deployment, keyPublisher } = parts

  return async (event, deadline) => {
    const publishing = buildersOf(event).then((jwtBuilders) => keyPublisher.publish(jwtBuilders, deadline))
    // Told below: whatever becomes of the one, the other is done.
    publishing.catch(() => {})
    await answerEvent(event, deadline)
    await publishing
  }

  async function buildersOf(event: IncomingEvent): Promise<readonly string[]> {
    switch (event.type) {
      case 'ElementChanged':
        return buildersOfElement(elements, event)
      case 'SecretChanged':
        return buildersOfSecret(elements, deployment, event.name)
      case 'ReconcileElements':
        return elements.ids('jwtBuilder')
      case 'TokenRefreshRequested':
      case 'TokenRejected':
      case 'ConnectionChanged':
      case 'ClearTokenCache':
      case 'Ignored':
        return []
    }
  }
}
