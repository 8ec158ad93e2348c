import { withKeysPublished } from '../publication/publish-after-event.ts'
import { createAnnounce } from '../renewal/announce.ts'
import { createAnswerEvent } from '../renewal/answer-event.ts'
import { createClearConnection } from '../renewal/clear-connection.ts'
import { createLeaveToChange } from '../renewal/leave-to-change.ts'
import { createPrepareToken } from '../renewal/prepare-token.ts'
import { createPrepareTokens } from '../renewal/prepare-tokens.ts'
import { createRefreshConnection } from '../renewal/refresh-connection.ts'
import { createRenewToken } from '../renewal/renew-token.ts'
import { createRenewVariants } from '../renewal/renew-variants.ts'
import { createTryNewKey } from '../renewal/try-new-key.ts'
import { createWarmTokens } from '../renewal/warm-tokens.ts'
import { createParts, type Ports } from './parts.ts'
import { createRotationParts, type RotationPorts } from './rotation-parts.ts'

/** Nobody waits for what these functions do, and many of their calls go on at a time. */
const budgetMilliseconds = 2_000

/** The same for the functions that nobody waits for. */
export function createRenewalParts(ports: Ports & RotationPorts) {
  const { elements, surroundings, connections, events, now, random, pause, log } = ports
  const { cache, records, asking, obtainToken, rejectToken, secretsMark } = createParts({
    ...ports,
    budgetMilliseconds,
  })

  const announce = createAnnounce({ events, log })
  const leaveToChange = createLeaveToChange({ connections, events, now, log })
  const renewToken = createRenewToken({ cache, asking, leaveToChange, now, log })
  const { publications, publishKeys } = createRotationParts(ports)
  const tryNewKey = createTryNewKey({ elements, publications, records, renewToken, announce, now })
  const warmTokens = createWarmTokens({ records, renewToken, tryNewKey, announce, now, random, pause, log })
  const prepareToken = createPrepareToken({ cache, obtainToken, now })
  const prepareTokens = createPrepareTokens({ prepareToken, now, pause })
  const renewVariants = createRenewVariants({ renewToken, now })
  const forConnections = { connections, records, prepareTokens, renewVariants, now, pause }
  const refreshConnection = createRefreshConnection(forConnections)
  const clearConnection = createClearConnection(forConnections)
  const forEvents = { elements, records, rejectToken, renewToken, refreshConnection, clearConnection, secretsMark }
  const answer = createAnswerEvent({ ...forEvents, events, announce, now })
  const answerEvent = withKeysPublished(answer, { elements, surroundings, publishKeys })
  return { warmTokens, answerEvent }
}
