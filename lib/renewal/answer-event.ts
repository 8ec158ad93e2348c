import { allEnded } from '../base/all-ended.ts'
import {
  buildersOfElement,
  buildersOfSecret,
  connectionsByCertificate,
  connectionsBySigningSecret,
  connectionsSigning,
  dependentConnections,
} from '../configuration/dependents.ts'
import type { Deployment } from '../configuration/deployment.ts'
import type { ElementStore } from '../configuration/element-store.ts'
import { type EventBus, raiseInTurn } from '../events/event-bus.ts'
import type { SecretsVersionChanger } from '../fleet/change-secrets-version.ts'
import { unlessUnavailable } from '../fleet/circuit-breaker.ts'
import type { Clearing } from '../fleet/clearing.ts'
import type { FleetRecords } from '../fleet/fleet-records.ts'
import { recordNameOf } from '../fleet/record-store.ts'
import type { TokenRejecter } from '../get-token/reject-token.ts'
import { ignoreCoolingDown } from '../get-token/token-error.ts'
import type { KeyPublisher } from '../key-lifecycle/publish-keys.ts'
import type { KeyRevoker } from '../key-lifecycle/revoke-key.ts'
import type { Log } from '../log/log-event.ts'
import type { Announcer, Renewal } from './announce-renewals.ts'
import type { IncomingEvent } from './incoming-event.ts'
import type { ConnectionRefresher } from './refresh-connection.ts'
import type { TokenRenewer } from './renew-token.ts'
import type { DateReporter } from './report-dates.ts'
import { aheadMilliseconds } from './warm-tokens.ts'

export interface EventAnswererDependencies {
  readonly elements: ElementStore
  readonly deployment: Deployment
  readonly records: FleetRecords
  readonly rejections: TokenRejecter
  readonly renewer: TokenRenewer
  readonly refresher: ConnectionRefresher
  readonly secretsVersion: SecretsVersionChanger
  readonly clearing: Clearing
  readonly keyPublisher: KeyPublisher
  readonly keyRevoker: KeyRevoker
  readonly events: EventBus
  readonly announcer: Announcer
  readonly dateReporter: DateReporter
  readonly now: () => number
  readonly log: Log
}

/** Acts on events. An event only says what to check, so an event that comes twice, late or out of order does no harm. */
export function createEventAnswerer(dependencies: EventAnswererDependencies) {
  const { elements, deployment, records, rejections, renewer, refresher } = dependencies
  const { secretsVersion, clearing, keyPublisher, keyRevoker, events, announcer, dateReporter, now, log } = dependencies

  /** Publishes the public keys that an event may have changed, so that servers and APIs know them before they are used. */
  async function publishKeys(event: IncomingEvent, deadline: number): Promise<void> {
    if (event.type === 'RevokeKey') return await revokeKey(event, deadline)
    await keyPublisher.publish(await buildersOf(event), deadline)
  }

  /** Tokens that Tokenwell has signed end with their key. */
  async function revokeKey(event: Extract<IncomingEvent, { readonly type: 'RevokeKey' }>, deadline: number) {
    const endTokens = async (jwtBuilders: readonly string[]) =>
      await announcer.announce(await refresher.clearEach(await connectionsSigning(elements, jwtBuilders), deadline))
    try {
      await endTokens(await keyRevoker.revoke(event, deadline))
    } catch (error) {
      // The elements may not tell which jwtBuilders share the key. Its own one is known.
      await endTokens([event.jwtBuilder])
      throw error
    }
  }

  async function buildersOf(event: IncomingEvent): Promise<readonly string[]> {
    switch (event.type) {
      case 'ElementChanged':
        return await buildersOfElement(elements, event)
      case 'SecretChanged':
        return await buildersOfSecret(elements, deployment, event.name)
      case 'ReconcileElements':
        return await elements.ids('jwtBuilder')
      case 'TokenRefreshRequested':
      case 'TokenRejected':
      case 'ConnectionChanged':
      case 'ClearTokenCache':
      case 'RevokeKey':
      case 'Ignored':
        return []
    }
  }

  async function renewTokens(event: IncomingEvent, deadline: number): Promise<void> {
    const renewals = await renewalsOf(event, deadline)
    await announcer.announce(renewals)
    // A renewal that failed stays due for a warm run. To repeat the event would also clear tokens that are valid.
    if (event.type === 'ClearTokenCache' || event.type === 'SecretChanged') return
    for (const renewal of renewals)
      if (renewal.outcome === 'failed' || renewal.outcome === 'cooling_down') throw renewal.error
  }

  async function renewalsOf(event: IncomingEvent, deadline: number): Promise<readonly Renewal[]> {
    switch (event.type) {
      case 'TokenRefreshRequested':
        return await renew(event, now() + aheadMilliseconds, deadline)
      case 'TokenRejected':
        await rejections.drop(event.connection, event.tokenId).catch(ignoreCoolingDown)
        return await renew(event, -Infinity, deadline)
      case 'ConnectionChanged':
        return await refreshAndReport(event.connection, deadline)
      case 'ElementChanged':
        await raiseForEach('ConnectionChanged', await dependentConnections(elements, event))
        return []
      case 'ReconcileElements':
        await raiseForEach('ConnectionChanged', await inUse(await elements.ids('endpointConnection'), deadline))
        return []
      case 'SecretChanged':
        await secretsVersion.change(deadline)
        // Their tokens may be bound to the former certificate (RFC 8705 section 3).
        await raiseForEach('ClearTokenCache', await connectionsByCertificate(elements, event.name))
        return await refresher.clearEach(await connectionsBySigningSecret(elements, event.name), deadline)
      case 'ClearTokenCache':
        if (event.connection !== undefined) return await refresher.clear(event.connection, deadline)
        await clearAll(deadline)
        return []
      case 'RevokeKey':
      case 'Ignored':
        return []
    }
  }

  /** The dates come after the refresh, which has read the elements, and also when its renewals failed: an end may be why. */
  async function refreshAndReport(connection: string, deadline: number): Promise<readonly Renewal[]> {
    const renewals = await refresher.refresh(connection, deadline)
    await dateReporter.report(connection, deadline)
    return renewals
  }

  async function renew(
    { connection, tokenId }: { readonly connection: string; readonly tokenId: string },
    freshUntil: number,
    deadline: number,
  ): Promise<readonly Renewal[]> {
    const name = recordNameOf(connection, tokenId)
    return name ? [await renewer.renew({ name, tokenId, freshUntil, deadline })] : []
  }

  async function clearAll(deadline: number): Promise<void> {
    if (!(await clearing.begin(deadline))) {
      log({ event: 'clearing_skipped' })
      return
    }
    try {
      await raiseForEach('ClearTokenCache', await elements.ids('endpointConnection'))
    } catch (error) {
      // The event is delivered again, and must then not be skipped as a repetition.
      await unlessUnavailable(() => clearing.giveUp(deadline), undefined)
      throw error
    }
  }

  /** Each in a message of its own, so that only those that fail are repeated. */
  async function raiseForEach(
    type: 'ConnectionChanged' | 'ClearTokenCache',
    connections: readonly string[],
  ): Promise<void> {
    await raiseInTurn(
      events,
      connections.map((connection) => ({ type, connection })),
    )
  }

  /** The connections that the fleet has had a token for. */
  async function inUse(connections: readonly string[], deadline: number): Promise<string[]> {
    const known = await records.readConnections(connections, deadline)
    return connections.filter((_name, position) => known[position] !== undefined)
  }

  return {
    /**
     * Renews the tokens and publishes the keys that the event concerns. A failure of one does not stop the other.
     * @param deadline milliseconds since the epoch
     * @throws the error that kept keys from being published or a token from being renewed, unless the event cleared tokens
     */
    async answer(event: IncomingEvent, deadline: number): Promise<void> {
      await allEnded([renewTokens(event, deadline), publishKeys(event, deadline)])
    },
  }
}
