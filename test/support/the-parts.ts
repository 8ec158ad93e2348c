import { randomBytes } from 'node:crypto'
import { lruTokenMemory } from '../../lib/adapters/lru-token-memory.ts'
import { memoryRecords } from '../../lib/adapters/memory-records.ts'
import { withoutSealing } from '../../lib/token-cache/token-sealing.ts'
import { createParts, type Ports } from '../../lib/wiring/parts.ts'

type Needed = 'connections' | 'secrets' | 'signers' | 'tokenEndpoint' | 'now' | 'pause' | 'log'

/** Those of one process of a fleet, by default of one and without chance; nobody listens. */
export function thePorts(ports: Pick<Ports, Needed> & Partial<Ports>): Ports {
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

export function theParts(ports: Pick<Ports, Needed> & Partial<Ports>) {
  return createParts(thePorts(ports))
}
