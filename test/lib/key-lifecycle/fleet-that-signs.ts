import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { UnsecuredJWT } from 'jose'
import { memoryRecords } from '../../../lib/adapters/process/memory-records.ts'
import {
  createApplication,
  createBackgroundApplication,
  createPublicApplication,
} from '../../../lib/application/application.ts'
import { createConnectionCache } from '../../../lib/configuration/connection-cache.ts'
import { createFingerprints } from '../../../lib/fleet/fingerprints.ts'
import type { RecordStore } from '../../../lib/fleet/record-store.ts'
import { type Sealing, withoutSealing } from '../../../lib/fleet/sealing.ts'
import { keysOf } from '../../../lib/key-lifecycle/published-keys.ts'
import { type RotationStep, rotationSteps } from '../../../lib/key-lifecycle/rotate-key.ts'
import type { LogEvent } from '../../../lib/log/log-event.ts'
import type { IncomingEvent } from '../../../lib/renewal/incoming-event.ts'
import { Secret } from '../../../lib/secret/secret.ts'
import { createSecretCache } from '../../../lib/secret/secret-cache.ts'
import { SecretError } from '../../../lib/secret/secret-store.ts'
import { generateKey } from '../../../lib/signing/key-algorithm.ts'
import type { KeyService } from '../../../lib/signing/key-service.ts'
import type { Signer } from '../../../lib/signing/signer.ts'
import { createSignerCache, type SignerCache } from '../../../lib/signing/signer-cache.ts'
import { exampleIssuer, localDeployment } from '../../support/elements/element-store.ts'
import { type ElementChanges, exampleElements, type RawElements } from '../../support/elements/elements.ts'
import { withDefaultPorts } from '../../support/virtual/default-ports.ts'
import { noKeyService } from '../../support/virtual/key-services.ts'
import { createVirtualSecrets } from '../../support/virtual/secret-stores.ts'
import { changeableElements, virtualToken } from '../../support/virtual/tokens-in-virtual-time.ts'
import { type VirtualEndpoint, type VirtualRequest, virtualTokenEndpoint } from '../../support/virtual/virtual-ports.ts'
import { createVirtualTime } from '../../support/virtual/virtual-time.ts'

export const generatedName = 'tokenwell/local/jwk/theBuilder'
export const broughtName = 'tokenwell/local/the-keys'

export type FleetThatSigns = ReturnType<typeof createFleetThatSigns>

export interface FleetThatSignsOptions {
  readonly changes?: ElementChanges
  readonly more?: RawElements
  readonly endpoint?: VirtualEndpoint
  readonly wrapStore?: (store: RecordStore) => RecordStore
  /** Without it no key is in KMS. */
  readonly keyService?: KeyService
}

const privateKey = generateKey('ES256', 0)
const otherKey = generateKey('ES256', 0)

/** A JWK set of private keys with these names, as an operator stores it. */
export function keySet(...kids: readonly string[]): string {
  const keys = kids.map((kid, index) => ({ ...(index ? otherKey : privateKey).export({ format: 'jwk' }), kid }))
  return JSON.stringify({ keys })
}

/** Four instances that sign, one that rotates keys and answers events, and one that serves the published keys. */
export function createFleetThatSigns(options: FleetThatSignsOptions = {}) {
  const {
    changes = {},
    more = {},
    endpoint = () => virtualToken(),
    wrapStore = (each) => each,
    keyService = noKeyService,
  } = options
  const time = createVirtualTime()
  const { now, pause } = time
  const store = wrapStore(memoryRecords({ maximumRecords: 1_000 }))
  const secrets = createVirtualSecrets()
  secrets.put(generatedName, '{ "keys": [] }')
  const asElements = (now: ElementChanges, others = more) => ({
    ...exampleElements(exampleIssuer, { ...now, builder: { signatureAlgorithm: 'ES256', ...now.builder } }),
    ...others,
  })
  const elements = changeableElements(asElements(changes))
  const fingerprints = createFingerprints({ sealing: withoutSealing(new Uint8Array(32)), earlierRecords: 'none' })
  const requests: VirtualRequest[] = []
  const events: LogEvent[] = []

  const ports = () => {
    const cached = createSecretCache(secrets, now)
    const log = (event: LogEvent) => void events.push(event)
    return withDefaultPorts({
      connections: createConnectionCache({ elements, deployment: localDeployment, fingerprints, now, pause, log }),
      ...{
        elements,
        store,
        now,
        pause,
        log,
        keyService,
        secretStore: secrets,
        secretRotation: secrets,
        secrets: cached,
      },
      signers: namingSigners(createSignerCache(cached, now)),
      tokenEndpoint: virtualTokenEndpoint(endpoint, requests, time, 50),
      memoryMaximumSeconds: 30,
      randomId: () => randomBytes(16).toString('base64url'),
    })
  }
  const join = () => createApplication(ports())
  const instances = [join(), join(), join(), join()]
  const background = createBackgroundApplication(ports())
  const rotator = createBackgroundApplication({ ...ports(), sealing: sealingWithoutKeys })
  const publicApplication = createPublicApplication(ports())
  let wished = 0

  /** Requests a new token, which needs a new assertion. */
  async function askAnew(instance = instances[0], connection = 'conn') {
    const request = { caller: 'direct', connection, audience: `aud-${wished++}`, further: {} }
    return await time.until((instance ?? assert.fail()).getToken(request, now() + 25_000))
  }

  /** @param beforeStep runs before each step */
  async function rotate(token: string, beforeStep = async (_step: RotationStep) => {}): Promise<void> {
    secrets.begin(generatedName, token)
    for (const step of rotationSteps) {
      await beforeStep(step)
      const request = { step, jwtBuilder: 'theBuilder', secretName: generatedName, token }
      await time.until(rotator.rotateKey(request, now() + 10_000))
    }
  }

  return {
    ...{ time, store, secrets, instances, join, requests, events, askAnew, rotate },
    change: (next: ElementChanges, others?: RawElements) => elements.change(asElements(next, others)),
    answer: async (event: IncomingEvent) => await time.until(background.answerEvent(event, now() + 55_000)),
    publish: async (...builders: string[]) => await time.until(background.publishKeys(builders, now() + 10_000)),
    /** The `kid` of each assertion from then on. */
    kidsSince: (at: number) => requests.filter((each) => each.at >= at).map(({ claims }) => claims['kid']),
    /** The published keys as a caller gets them. */
    async published(jwtBuilder = 'theBuilder'): Promise<readonly string[]> {
      const publication = await time.until(publicApplication.readPublishedKeys(jwtBuilder, now() + 5_000))
      return keysOf(publication, now()).map(({ jwk }) => jwk.kid)
    },
    /** The `kid` of the key that a rotation has made and that is not active yet. */
    async pendingKid(token: string): Promise<string> {
      const text = await (await secrets.open(generatedName)).read(token)
      return JSON.parse(text?.reveal() ?? '').keys[0].kid
    },
    signingKid(): string {
      const { keys } = JSON.parse(secrets.current(generatedName))
      return keys.find(
        ({ signsFrom = 0, signsUntil = Infinity }) => signsFrom * 1000 <= now() && now() < signsUntil * 1000,
      ).kid
    },
  }
}

/** The ports of `rotate-key`, which may not read the cache's keys. */
const denied = () => Promise.reject(new SecretError('secret_denied', 'The secret tokenwell/cache may not be read.'))
const sealingWithoutKeys: Sealing = {
  ...{ digest: denied, seal: denied, open: denied },
  ...{ authenticate: denied, verify: denied, fingerprint: () => undefined },
}

/** Real signing runs in a thread pool, which knows no virtual time. This signature only names its key. */
function namingSigners(signers: SignerCache): SignerCache {
  const naming = (signer: Signer): Signer => ({
    ...signer,
    sign: async (_header, claims) => new Secret(new UnsecuredJWT({ ...claims, kid: signer.keyId }).encode()),
  })
  return {
    ...signers,
    current: async (key, algorithm) => naming(await signers.current(key, algorithm)),
    async previous(key, algorithm) {
      const signer = await signers.previous(key, algorithm)
      return signer && naming(signer)
    },
  }
}
