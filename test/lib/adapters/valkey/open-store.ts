import type { TestContext } from 'node:test'
import { Valkey } from 'iovalkey'
import { valkeyRecords } from '../../../../lib/adapters/valkey/valkey-records.ts'
import { Secret } from '../../../../lib/secret/secret.ts'
import type { ValkeyServer } from '../../../support/servers/valkey.ts'

export type StoreOptions = Parameters<typeof valkeyRecords>[0]

/** A store on a server. Its time limit is long unless the test sets another one. */
export function openStore(
  { url, password, ca }: Pick<ValkeyServer, 'url' | 'password' | 'ca'>,
  options: Partial<StoreOptions> = {},
) {
  const credentials = {
    read: async () => ({
      ...(password !== undefined && { password: new Secret(password) }),
      ...(ca !== undefined && { ca }),
    }),
  }
  return valkeyRecords({ url, stage: 'test', attemptMilliseconds: 10_000, credentials, ...options })
}

/** A client for a test to read and write the server directly. */
export function openClient(t: TestContext, { port }: Pick<ValkeyServer, 'port'>): Valkey {
  const client = new Valkey(port, '127.0.0.1').on('error', () => {})
  t.after(() => client.disconnect())
  return client
}
