import type { ElementStore } from '../configuration/element-store.ts'
import { createAnnounce } from '../renewal/announce.ts'
import { createAnswerEvent } from '../renewal/answer-event.ts'
import { createClearConnection } from '../renewal/clear-connection.ts'
import { createPrepareToken } from '../renewal/prepare-token.ts'
import { createPrepareTokens } from '../renewal/prepare-tokens.ts'
import { createRefreshConnection } from '../renewal/refresh-connection.ts'
import { createRenewToken } from '../renewal/renew-token.ts'
import { createRenewVariants } from '../renewal/renew-variants.ts'
import { createWarmTokens } from '../renewal/warm-tokens.ts'
import { createParts, type Ports } from './parts.ts'

/** Nobody waits for what these functions do, and many of their calls go on at a time. */
const budgetMilliseconds = 2_000

/** The same for the functions that nobody waits for. */
export function createRenewalParts(ports: Ports & { readonly elements: ElementStore }) {
  const { elements, connections, events, now, random, pause, log } = ports
  const { cache, records, asking, obtainToken, rejectToken, secretsMark } = createParts({
    ...ports,
    budgetMilliseconds,
  })

  const announce = createAnnounce({ events, log })
  const renewToken = createRenewToken({ cache, asking, now, log })
  const warmTokens = createWarmTokens({ records, renewToken, announce, now, random, pause, log })
  const prepareToken = createPrepareToken({ cache, obtainToken, now })
  const prepareTokens = createPrepareTokens({ prepareToken, now, pause })
  const renewVariants = createRenewVariants({ renewToken, now })
  const forConnections = { connections, records, prepareTokens, renewVariants, now, pause }
  const refreshConnection = createRefreshConnection(forConnections)
  const clearConnection = createClearConnection(forConnections)
  const forEvents = { elements, records, rejectToken, renewToken, refreshConnection, clearConnection, secretsMark }
  const answerEvent = createAnswerEvent({ ...forEvents, events, announce, now })
  return { warmTokens, answerEvent }
}
