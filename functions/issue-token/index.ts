import { randomBytes } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import { fileElements } from '../../lib/adapters/file-elements.ts'
import { fileSecrets } from '../../lib/adapters/file-secrets.ts'
import { memoryTokenCache } from '../../lib/adapters/memory-token-cache.ts'
import { powertoolsLog } from '../../lib/adapters/powertools-log.ts'
import { publishedLog } from '../../lib/adapters/published-log.ts'
import { createSteadyClock } from '../../lib/adapters/steady-clock.ts'
import { undiciTokenEndpoint } from '../../lib/adapters/undici-token-endpoint.ts'
import { createConnections } from '../../lib/configuration/connections.ts'
import { createSigners } from '../../lib/signing-key/signers.ts'
import { withClockCorrection } from '../../lib/token/clock-correction.ts'
import { createClockOffsets } from '../../lib/token/clock-offsets.ts'
import { createCoolDowns } from '../../lib/token/cool-downs.ts'
import { createGetToken } from '../../lib/token/get-token.ts'
import { createObtainToken } from '../../lib/token/obtain-token.ts'
import { createOutcomes } from '../../lib/token/outcomes.ts'
import { createRejectToken } from '../../lib/token/reject-token.ts'
import { withRequestPolicy } from '../../lib/token/request-policy.ts'
import { readEnvironment } from './environment.ts'
import { createHandler } from './handler.ts'

const { surroundings, elementsPath, secretsFolder, ...access } = readEnvironment(process.env)
const now = createSteadyClock()
const random = Math.random
const randomId = () => randomBytes(16).toString('base64url')
const log = publishedLog(powertoolsLog())

const elements = fileElements(elementsPath)
const secrets = fileSecrets(secretsFolder, surroundings.stage)
const cache = memoryTokenCache({ maximumTokens: 10_000 })

const connections = createConnections({ elements, surroundings, now, log })
const signers = createSigners(secrets, now)
const tokenEndpoint = undiciTokenEndpoint(secrets, now)

const clockOffsets = createClockOffsets()
const coolDowns = createCoolDowns(now)
const outcomes = createOutcomes(now)

const askOnce = createObtainToken({ signers, secrets, tokenEndpoint, clockOffsets, now, random, randomId, log })
const askInTime = withClockCorrection(askOnce, clockOffsets, log)
const obtainToken = outcomes.watch(withRequestPolicy(askInTime, { coolDowns, now, random, pause, log }))
const rejectToken = createRejectToken(cache, now)
const getToken = createGetToken({ connections, cache, rejectToken, obtainToken, now, pause, log })

export const handler = createHandler({
  getToken,
  rejectToken,
  elements,
  surroundings,
  outcomes,
  clockOffsets,
  now,
  log,
  ...access,
})
