import { randomBytes } from 'node:crypto'
// The product loads these at their first use. Virtual time does not wait for files, so they are loaded before.
import '../../../lib/admission/unknown-parameters.ts'
import '../../../lib/configuration/advice.ts'
import '../../../lib/configuration/inspect-elements.ts'
import '../../../lib/key-lifecycle/publication-record.ts'
import '../../../lib/discovery/metadata-advice.ts'
import '../../../lib/discovery/server-metadata.ts'
import '../../../lib/discovery/stated-endpoint.ts'
import '../../../lib/signing/secret-dates.ts'
import '../../../lib/token-endpoint/answer-without-token.ts'
import '../../../lib/token-endpoint/auth-token-answer.ts'
import '../../../lib/token-endpoint/auth-token-request.ts'
import '../../../lib/token-endpoint/grants/token-exchange.ts'
import '../../../lib/token-endpoint/request-headers.ts'
import { memoryRecords } from '../../../lib/adapters/process/memory-records.ts'
import { createApplication, type Ports } from '../../../lib/application/application.ts'
import type { ElementStore } from '../../../lib/configuration/element-store.ts'
import { createAuthenticRecords } from '../../../lib/fleet/authentic-records.ts'
import type { RecordStore } from '../../../lib/fleet/record-store.ts'
import { withoutSealing } from '../../../lib/fleet/sealing.ts'
import { localDeployment } from '../elements/element-store.ts'
import { noKeyService } from './key-services.ts'
import { thePublicationKey } from './publications.ts'
import { someTokenMemory } from './some-token.ts'

type Needed = 'connections' | 'secrets' | 'signers' | 'tokenEndpoint' | 'now' | 'pause' | 'log'

/**
 * The ports of one process. By default it is alone in its fleet, has no chance in it, and no consumer hears its events.
 * Its secret store is the one in `secrets`.
 */
export function withDefaultPorts(ports: Pick<Ports, Needed> & Partial<Ports>): Ports {
  return {
    deployment: localDeployment,
    elements: noElements,
    secretStore: ports.secrets,
    certificates: { trusted: async () => [], presented: async () => [] },
    keyService: noKeyService,
    metadataSource: { get: () => Promise.reject(new Error('no server describes itself here')) },
    secretRotation: { open: () => Promise.reject(new Error('nothing is rotated here')) },
    store: memoryRecords({ maximumRecords: 1_000 }),
    sealing: withoutSealing(new Uint8Array(32)),
    earlierRecords: 'none',
    budgetMilliseconds: 250,
    memory: someTokenMemory(1_000),
    memoryMaximumSeconds: Infinity,
    publicationKey: thePublicationKey,
    events: { isHeard: false, raise: () => Promise.resolve() },
    webIdentity: { token: () => Promise.reject(new Error('AWS signs nothing here')) },
    random: () => 0.5,
    randomId: () => randomBytes(16).toString('base64url'),
    ...ports,
  }
}

/** Reads and writes records as a process with those ports does: with MACs from the same key. */
export function authenticDefaultRecords(store: RecordStore): RecordStore {
  const sealing = withoutSealing(new Uint8Array(32))
  return createAuthenticRecords({ store, sealing, earlierRecords: 'none', log() {} })
}

const noElements: ElementStore = { get: async () => [], ids: async () => [], findings: async () => [] }

export function applicationWithDefaults(ports: Pick<Ports, Needed> & Partial<Ports>) {
  return createApplication(withDefaultPorts(ports))
}
