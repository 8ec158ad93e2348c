import type { TestContext } from 'node:test'
import { Valkey } from 'iovalkey'
import { valkeyRecords } from '../../../../lib/adapters/valkey/valkey-records.ts'
import { Secret } from '../../../../lib/secret/secret.ts'
import type { ValkeyServer } from '../../../support/servers/valkey.ts'

export type StoreOptions = Parameters<typeof valkeyRecords>[0]

/** The store of a server. An attempt has plenty of time unless the test says otherwise. */
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

/** What a test looks at or puts there. */
export function openClient(t: TestContext, { port }: Pick<ValkeyServer, 'port'>): Valkey {
  const client = new Valkey(port, '127.0.0.1').on('error', () => {})
  t.after(() => client.disconnect())
  return client
}
