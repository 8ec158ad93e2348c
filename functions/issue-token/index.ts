import { randomBytes } from 'node:crypto'
import { fileElements } from '../../lib/adapters/file-elements.ts'
import { fileSecrets } from '../../lib/adapters/file-secrets.ts'
import { memoryTokenCache } from '../../lib/adapters/memory-token-cache.ts'
import { powertoolsLog } from '../../lib/adapters/powertools-log.ts'
import { publishedLog } from '../../lib/adapters/published-log.ts'
import { undiciTokenEndpoint } from '../../lib/adapters/undici-token-endpoint.ts'
import { createConnections } from '../../lib/configuration/connections.ts'
import { createSigners } from '../../lib/signing-key/signers.ts'
import { createGetToken } from '../../lib/token/get-token.ts'
import { createObtainToken } from '../../lib/token/obtain-token.ts'
import { createOutcomes } from '../../lib/token/outcomes.ts'
import { createRejectToken } from '../../lib/token/reject-token.ts'
import { readEnvironment } from './environment.ts'
import { createHandler } from './handler.ts'

const { surroundings, elementsPath, secretsFolder, maximumTokens, ...access } = readEnvironment(process.env)
const now = Date.now
const randomId = () => randomBytes(16).toString('base64url')
const log = publishedLog(powertoolsLog())

const elements = fileElements(elementsPath)
const secrets = fileSecrets(secretsFolder, surroundings.stage)
const cache = memoryTokenCache({ maximumTokens })

const connections = createConnections({ elements, surroundings, now, log })
const signers = createSigners(secrets, now)
const tokenEndpoint = undiciTokenEndpoint(secrets)

const outcomes = createOutcomes(now)
const obtainToken = outcomes.watch(createObtainToken({ signers, secrets, tokenEndpoint, now, randomId, log }))
const rejectToken = createRejectToken(cache, now)
const getToken = createGetToken({ connections, cache, rejectToken, obtainToken, now, log })

export const handler = createHandler({ getToken, rejectToken, elements, surroundings, outcomes, now, log, ...access })
