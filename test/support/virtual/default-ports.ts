import { randomBytes } from 'node:crypto'
import { memoryRecords } from '../../../lib/adapters/process/memory-records.ts'
import { createParts, createRenewalParts, type Ports } from '../../../lib/application/application.ts'
import type { ElementStore } from '../../../lib/configuration/element-store.ts'
import { withoutSealing } from '../../../lib/fleet/sealing.ts'
import { lruTokenMemory } from '../../../lib/get-token/token-memory.ts'
import { localDeployment } from '../elements/element-store.ts'

type Needed = 'connections' | 'secrets' | 'signers' | 'tokenEndpoint' | 'now' | 'pause' | 'log'

/** Those of one process of a fleet, by default of one and without chance; nobody listens. */
export function withDefaultPorts(ports: Pick<Ports, Needed> & Partial<Ports>): Ports {
  return {
    store: memoryRecords({ maximumRecords: 1_000 }),
    sealing: withoutSealing(new Uint8Array(32)),
    budgetMilliseconds: 250,
    memory: lruTokenMemory({ maximumTokens: 1_000 }),
    memoryMaximumSeconds: Infinity,
    events: { isHeard: false, raise: () => Promise.resolve() },
    random: () => 0.5,
    randomId: () => randomBytes(16).toString('base64url'),
    ...ports,
  }
}

/** The same of a function that nobody waits for; there the secrets are those that any process keeps. */
export function renewalWithDefaults(ports: Ports, elements: ElementStore) {
  return createRenewalParts({
    ...ports,
    ...{ elements, deployment: localDeployment, secretStore: ports.secrets },
    secretRotation: { open: () => Promise.reject(new Error('nothing is rotated here')) },
  })
}

export function applicationWithDefaults(ports: Pick<Ports, Needed> & Partial<Ports>) {
  return createParts(withDefaultPorts(ports))
}
