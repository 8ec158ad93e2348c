import type { TestContext } from 'node:test'
import { createHandler } from '../../functions/issue-token/handler.ts'
import { fileElements } from '../../lib/adapters/file-elements.ts'
import { fileSecrets } from '../../lib/adapters/file-secrets.ts'
import { memoryTokenCache } from '../../lib/adapters/memory-token-cache.ts'
import { undiciTokenEndpoint } from '../../lib/adapters/undici-token-endpoint.ts'
import { createConnections } from '../../lib/configuration/connections.ts'
import type { LogEvent } from '../../lib/log/log-event.ts'
import { createSigners } from '../../lib/signing-key/signers.ts'
import { withClockCorrection } from '../../lib/token/clock-correction.ts'
import { createClockOffsets } from '../../lib/token/clock-offsets.ts'
import { createCoolDowns } from '../../lib/token/cool-downs.ts'
import { createGetToken, type GetToken } from '../../lib/token/get-token.ts'
import { createObtainToken } from '../../lib/token/obtain-token.ts'
import { createOutcomes } from '../../lib/token/outcomes.ts'
import { createRejectToken } from '../../lib/token/reject-token.ts'
import { withRequestPolicy } from '../../lib/token/request-policy.ts'
import type { TokenCache } from '../../lib/token/token-cache.ts'
import { type ElementChanges, type RawElements, theElements } from './elements.ts'
import type { Handler } from './the-set.ts'
import { type ScriptedAnswer, someToken, startTokenServer, type TokenServer } from './token-server.ts'

/** When the clock of a stage starts, in milliseconds since the epoch. */
export const stageStart = 1_700_000_000_000

/** The function's parts before a real token endpoint, by a clock that the test moves. */
export interface Stage {
  readonly handler: Handler
  readonly getToken: GetToken
  readonly cache: TokenCache
  readonly server: TokenServer
  readonly log: readonly LogEvent[]
  advance(milliseconds: number): void
  /** A deadline that many milliseconds away. */
  within(milliseconds: number): number
}

export interface StageOptions {
  readonly changes?: ElementChanges
  readonly more?: RawElements
  readonly answer?: () => ScriptedAnswer
  /** What happens while a signing secret is read, beside the time that it takes. */
  readonly onSecret?: () => void
  /** How long it takes to read a signing secret, and the server to answer. */
  readonly secretMilliseconds?: number
  readonly serverMilliseconds?: number
  readonly cache?: TokenCache
}

export async function startStage(t: TestContext, options: StageOptions = {}): Promise<Stage> {
  const { changes, more, answer = someToken, onSecret, secretMilliseconds = 0, serverMilliseconds = 0 } = options
  const { cache = memoryTokenCache({ maximumTokens: 10 }) } = options
  let time = stageStart
  const now = () => time
  const server = await startTokenServer(
    t,
    (issuer) => ({ ...theElements(issuer, changes), ...more }),
    () => {
      time += serverMilliseconds
      return answer()
    },
  )
  const { elementsPath, secretsFolder, surroundings } = server.workspace
  const elements = fileElements(elementsPath)
  const files = fileSecrets(secretsFolder, surroundings.stage)
  const secrets = {
    async get(name: string) {
      if (name.includes('/jwk/')) {
        time += secretMilliseconds
        onSecret?.()
      }
      return files.get(name)
    },
  }
  const events: LogEvent[] = []
  const log = (event: LogEvent) => void events.push(event)
  const signers = createSigners(secrets, now)
  let ids = 0
  const randomId = () => `id-${ids++}`
  const tokenEndpoint = undiciTokenEndpoint(secrets, now)
  const random = () => 0.5
  const pause = async (milliseconds: number) => {
    time += milliseconds
  }
  const clockOffsets = createClockOffsets()
  const askOnce = createObtainToken({ signers, secrets, tokenEndpoint, clockOffsets, now, random, randomId, log })
  const askInTime = withClockCorrection(askOnce, clockOffsets, log)
  const coolDowns = createCoolDowns(now)
  const outcomes = createOutcomes(now)
  const obtainToken = outcomes.watch(withRequestPolicy(askInTime, { coolDowns, now, random, pause, log }))
  const connections = createConnections({ elements, surroundings, now, log })
  const rejectToken = createRejectToken(cache, now)
  const getToken = createGetToken({ connections, cache, rejectToken, obtainToken, now, pause, log })
  return {
    handler: createHandler({ getToken, rejectToken, elements, surroundings, outcomes, clockOffsets, now, log }),
    getToken,
    cache,
    server,
    log: events,
    advance(milliseconds) {
      time += milliseconds
    },
    within: (milliseconds) => time + milliseconds,
  }
}
