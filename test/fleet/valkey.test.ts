import { Valkey } from 'iovalkey'
import { startIfThere } from '../support/servers/real-server.ts'
import { startValkey } from '../support/servers/valkey.ts'
import { testLocalStampede } from './local-stampede.ts'
import { testFleet } from './scenarios.ts'
import type { StartBackend } from './shared-fleet.ts'
import { testStampede } from './stampede.ts'

const password = 'the-password-of-the-cache'

/* With TLS and a password. The secret of the cache holds both. */
const startBackend: StartBackend = async (t) => {
  const server = await startIfThere(t, () => startValkey(t, { tls: true, password }))
  if (!server) return undefined
  const { port, ca = '' } = server
  const watcher = new Valkey({ host: 'localhost', port, password, tls: { ca } })
  t.after(() => watcher.disconnect())
  return {
    port,
    environment: (proxyPort) => ({ TOKENWELL_CACHE: `valkeys://localhost:${proxyPort}` }),
    secret: { valkey: { password, ca } },
    reads: async () => Number(/cmdstat_mget:calls=(\d+)/.exec(await watcher.info('commandstats'))?.[1] ?? 0),
  }
}

testFleet('Valkey', startBackend)
testStampede('Valkey', startBackend)
testLocalStampede('Valkey', startBackend)
