import assert from 'node:assert/strict'
import type { Warming } from '../../../lib/configuration/connection.ts'
import { readConnectionRecord, writeConnectionRecord } from '../../../lib/fleet/connection-record.ts'
import type { ConnectionState } from '../../../lib/fleet/connection-state.ts'
import { type Use, withUse } from '../../../lib/fleet/kept-warm.ts'

export const now = 1_800_000_000_000
export const hour = 3_600_000
export const warming: Warming = {
  idleMilliseconds: 24 * hour,
  maximumVariants: 3,
  authorizationServer: 'theServer',
  maximumConcurrency: 7,
}
export const cold: ConnectionState = { generation: now, fingerprint: 'f', variants: [] }
export const warm: ConnectionState = { ...cold, warming }

/** What a record of this state is read as. */
export function readBack(state: ConnectionState) {
  const { version, ...read } = readConnectionRecord(writeConnectionRecord(state, 'v', now), now)
  assert.equal(version, 'v')
  return read
}

/** A caller's use of a token that lives an hour. */
export function useBy(id: string, caller = 'one', lifetimeMilliseconds = hour): Use {
  return { id, caller, lifetimeMilliseconds }
}

/** The state after these uses. */
export function used(state: ConnectionState, ...uses: readonly (readonly [id: string, at: number])[]): ConnectionState {
  return uses.reduce((before, [id, at]) => withUse(before, useBy(id), at), state)
}

/** The ids of the tokens that are kept warm. */
export const ids = ({ variants }: ConnectionState) => variants.map(({ id }) => id)
