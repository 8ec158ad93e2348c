import { batchesOf } from '../base/semaphore.ts'
import type { Pause } from '../base/time.ts'
import { TokenwellError } from '../base/tokenwell-error.ts'
import type { ElementStore } from '../configuration/element-store.ts'
import type { PublicationStore } from './publication-store.ts'
import type { KeyPublisher } from './publish-keys.ts'

export interface PublicationSigningDependencies {
  readonly elements: ElementStore
  readonly publicationStore: PublicationStore
  readonly keyPublisher: KeyPublisher
  readonly now: () => number
  readonly pause: Pause
}

/** An IAM permission that the same deployment grants takes effect some seconds later. */
const pauseMilliseconds = 3_000
/** After so many the time is looked at again. There may be a thousand jwtBuilders. */
const publicationsAtATime = 25
/** In the last part of the time nothing new begins that need not be done. */
const reserveMilliseconds = 20_000

/** Signs the published keys of all jwtBuilders, before a deployment updates the function that serves them. */
export function createPublicationSigning(dependencies: PublicationSigningDependencies) {
  const { elements, publicationStore, keyPublisher, now, pause } = dependencies

  async function signOnce(deadline: number): Promise<void> {
    const jwtBuilders = await elements.ids('jwtBuilder')
    const refused = await publicationStore.refusedAmong(jwtBuilders, deadline)
    await keyPublisher.publish(refused, deadline)
    const unsigned = await publicationStore.refusedAmong(refused, deadline)
    if (unsigned.length > 0) throw new UnsignedPublicationsError(unsigned)

    const others = jwtBuilders.filter((jwtBuilder) => !refused.includes(jwtBuilder))
    for (const some of batchesOf(others, publicationsAtATime)) {
      if (now() + reserveMilliseconds > deadline) return
      await keyPublisher.publish(some, deadline)
    }
  }

  return {
    /**
     * Publishes the keys of all jwtBuilders, first of those whose published keys would no longer be served. If that fails, it tries
     * again until the deadline. If the time is over before the others are published, an event or the next reconciliation publishes them.
     * @param deadline milliseconds since the epoch
     * @throws {UnsignedPublicationsError} if keys that are published now would no longer be served
     * @throws the error that kept keys from being published
     */
    async signAll(deadline: number): Promise<void> {
      for (;;) {
        try {
          return await signOnce(deadline)
        } catch (error) {
          const isForOperator = error instanceof UnsignedPublicationsError
          if (isForOperator || now() + pauseMilliseconds >= deadline) throw error
          await pause(pauseMilliseconds)
        }
      }
    },
  }
}

/** Published keys could not be signed. If the deployment continued, they would no longer be served. */
export class UnsignedPublicationsError extends TokenwellError {
  readonly code = 'publication_refused'

  constructor(jwtBuilders: readonly string[]) {
    const names = jwtBuilders.join(', ')
    super(
      `The published keys of these jwtBuilders could not be signed: ${names}. Find the reason in the log of refresh-token (event publication_failed), fix it and deploy again. Until then the keys are served as before.`,
    )
  }
}
