import type { TestContext } from 'node:test'
import { createHandler } from '../../../functions/issue-token/handler.ts'
import { fileElements } from '../../../lib/adapters/files/file-elements.ts'
import { fileSecrets } from '../../../lib/adapters/files/file-secrets.ts'
import { undiciTokenEndpoint } from '../../../lib/adapters/http/undici-token-endpoint.ts'
import type { Application } from '../../../lib/application/application.ts'
import type { Pause } from '../../../lib/base/time.ts'
import { createConnectionCache } from '../../../lib/configuration/connection-cache.ts'
import type { TokenMemory } from '../../../lib/get-token/token-memory.ts'
import type { LogEvent } from '../../../lib/log/log-event.ts'
import { createSecretCache } from '../../../lib/secret/secret-cache.ts'
import { createSignerCache } from '../../../lib/signing/signer-cache.ts'
import { localDeployment } from '../elements/element-store.ts'
import { type ElementChanges, exampleElements, type RawElements } from '../elements/elements.ts'
import { applicationWithDefaults } from '../virtual/default-ports.ts'
import { singleVersionSecrets } from '../virtual/secret-stores.ts'
import { someTokenMemory } from '../virtual/some-token.ts'
import { plainFingerprints } from '../virtual/virtual-ports.ts'
import {
  type IssueTokenWithScriptedServer,
  type ScriptedAnswer,
  startIssueTokenWithScriptedServer,
  tokenAnswer,
} from './issue-token-with-scripted-server.ts'
import type { Handler } from './load-function.ts'

/** When the clock of a stage starts, in milliseconds since the epoch. */
export const testClockStart = 1_700_000_000_000

/** The parts of the function, in front of a real token endpoint and on a clock that the test moves. */
export interface IssueTokenByTestClock {
  readonly handler: Handler
  readonly getToken: Application['getToken']
  readonly memory: TokenMemory
  readonly server: IssueTokenWithScriptedServer
  readonly log: readonly LogEvent[]
  advance(milliseconds: number): void
  /** A deadline that many milliseconds away. */
  within(milliseconds: number): number
}

export interface IssueTokenByTestClockOptions {
  readonly changes?: ElementChanges
  readonly more?: RawElements
  readonly answer?: () => ScriptedAnswer
  /** Called when the server gets a connection, before TLS. */
  readonly onConnection?: () => void
  /** Called while a signing secret is read. */
  readonly onSecret?: () => void
  /** How long it takes to read a signing secret, and how long the server takes to answer. */
  readonly secretMilliseconds?: number
  readonly serverMilliseconds?: number
  readonly memory?: TokenMemory
}

export async function startIssueTokenByTestClock(
  t: TestContext,
  options: IssueTokenByTestClockOptions = {},
): Promise<IssueTokenByTestClock> {
  const {
    changes,
    more,
    answer = tokenAnswer,
    onConnection,
    onSecret,
    secretMilliseconds = 0,
    serverMilliseconds = 0,
  } = options
  const { memory = someTokenMemory(10) } = options
  let time = testClockStart
  const now = () => time
  const server = await startIssueTokenWithScriptedServer(
    t,
    (issuer) => ({ ...exampleElements(issuer, changes), ...more }),
    () => {
      time += serverMilliseconds
      return answer()
    },
    {
      takesOver() {
        onConnection?.()
        return false
      },
    },
  )
  const { elementsPath, secretsFolder, deployment } = server.workspace
  const elements = fileElements(elementsPath)
  const files = fileSecrets(secretsFolder, deployment.stage)
  const secrets = singleVersionSecrets((name) => {
    if (name.includes('/jwk/')) {
      time += secretMilliseconds
      onSecret?.()
    }
    return files.get(name)
  })
  const events: LogEvent[] = []
  const log = (event: LogEvent) => void events.push(event)
  let ids = 0
  // Nothing is late unless the test makes it late. A pause that can be cancelled ends when it is.
  const pause: Pause = async (milliseconds, unless) => {
    if (unless) await new Promise(() => {})
    time += milliseconds
  }
  const cachedSecrets = createSecretCache(secrets, now)
  const application = applicationWithDefaults({
    ...{ elements, deployment },
    connections: createConnectionCache({ elements, deployment, fingerprints: plainFingerprints, now, pause, log }),
    signers: createSignerCache(cachedSecrets, now),
    secrets: cachedSecrets,
    tokenEndpoint: undiciTokenEndpoint(cachedSecrets, now),
    now,
    pause,
    log,
    randomId: () => `id-${ids++}`,
    memory,
  })
  return {
    handler: createHandler({ application, deployment: localDeployment, earlierRecords: 'none', now, log }),
    getToken: application.getToken,
    memory,
    server,
    log: events,
    advance(milliseconds) {
      time += milliseconds
    },
    within: (milliseconds) => time + milliseconds,
  }
}
