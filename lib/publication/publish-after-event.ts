import { buildersOfElement, buildersOfSecret } from '../configuration/dependent-builders.ts'
import type { ElementStore } from '../configuration/element-store.ts'
import type { Surroundings } from '../configuration/surroundings.ts'
import type { IncomingEvent } from '../event/incoming-event.ts'
import type { AnswerEvent } from '../renewal/answer-event.ts'
import type { PublishKeys } from './publish-keys.ts'

export interface PublishAfterEventParts {
  readonly elements: ElementStore
  readonly surroundings: Surroundings
  readonly publishKeys: PublishKeys
}

/** The same, and public keys are published that an event may have changed: servers should know them before they are used. */
export function withKeysPublished(answerEvent: AnswerEvent, parts: PublishAfterEventParts): AnswerEvent {
  const { elements, surroundings, publishKeys } = parts

  return async (event, deadline) => {
    const publishing = buildersOf(event).then((jwtBuilders) => publishKeys(jwtBuilders, deadline))
    // Told below: whatever becomes of the one, the other is done.
    publishing.catch(() => {})
    await answerEvent(event, deadline)
    await publishing
  }

  async function buildersOf(event: IncomingEvent): Promise<readonly string[]> {
    switch (event.type) {
      case 'ElementChanged':
        return buildersOfElement(elements, event)
      case 'SecretChanged':
        return buildersOfSecret(elements, surroundings, event.name)
      case 'ReconcileElements':
        return elements.ids('jwtBuilder')
      case 'TokenRefreshRequested':
      case 'TokenRejected':
      case 'ConnectionChanged':
      case 'ClearTokenCache':
      case 'Ignored':
        return []
    }
  }
}
