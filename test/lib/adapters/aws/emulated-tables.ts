import type { TestContext } from 'node:test'
import type { RecordStore } from '../../../../lib/fleet/record-store.ts'
import type { Emulation, OpenStores } from '../../../contract/record-store.ts'
import { startAwsProxy } from '../../../support/servers/aws-proxy.ts'
import { dynamodbAt, pointSdkAt, startDynalite } from '../../../support/servers/dynalite.ts'
import { startMoto } from '../../../support/servers/moto.ts'
import { startIfThere } from '../../../support/servers/real-server.ts'

/** A table in each emulator of DynamoDB, for the contract tests of record stores. */
export function emulatedTables(
  tableName: string,
  openStore: () => RecordStore,
): readonly (readonly [name: string, open: OpenStores, emulation: Emulation])[] {
  const overDynalite: OpenStores = async (t) => {
    const server = await startDynalite(t)
    await server.createTable(tableName)
    pointSdkAt(t, server.endpoint)
    return openStore
  }
  const overMoto: OpenStores = async (t) => {
    const moto = await startIfThere(t, () => startMoto(t))
    if (!moto) return undefined
    await dynamodbAt(t, moto.endpoint).createTable(tableName)
    pointSdkAt(t, moto.endpoint)
    return openStore
  }
  return [
    ['DynamoDB (dynalite)', overDynalite, { isAtomic: true }],
    // The emulator's threads may let two concurrent writes pass one condition.
    ['DynamoDB (moto)', overMoto, { isAtomic: false }],
  ]
}

/** A table, and a proxy between the store and the table. */
export async function startTable(t: TestContext, tableName: string) {
  const server = await startDynalite(t)
  await server.createTable(tableName)
  const proxy = await startAwsProxy(t, server.endpoint)
  pointSdkAt(t, proxy.endpoint)
  return { server, proxy }
}
