import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { createLocalJWKSet, jwtVerify, SignJWT } from 'jose'
import { memoryRecords } from '../../../lib/adapters/process/memory-records.ts'
import { type BackgroundApplication, createBackgroundApplication } from '../../../lib/application/application.ts'
import type { RecordStore } from '../../../lib/fleet/record-store.ts'
import { keysOf, type PublishedKey } from '../../../lib/key-lifecycle/published-keys.ts'
import { type RotationStep, rotationSteps } from '../../../lib/key-lifecycle/rotate-key.ts'
import type { SecretRotation } from '../../../lib/key-lifecycle/rotating-secret.ts'
import type { Log, LogEvent } from '../../../lib/log/log-event.ts'
import { Secret } from '../../../lib/secret/secret.ts'
import type { SigningKey } from '../../../lib/signing/signing-key.ts'
import { currentKey } from '../../../lib/signing/signing-key.ts'
import { readGeneratedKeys } from '../../../lib/signing/signing-secret.ts'
import { elementStoreOf, exampleIssuer } from '../elements/element-store.ts'
import { exampleElements, type RawElements } from '../elements/elements.ts'
import { plainConnection } from '../elements/plain-connection.ts'
import { withDefaultPorts } from './default-ports.ts'
import { publicationIn } from './publications.ts'
import { createVirtualSecrets, type VirtualSecrets } from './secret-stores.ts'
import { thePassword, theSigners, unchangingConnections } from './virtual-ports.ts'

export const rotatedSecretName = 'tokenwell/local/jwk/theBuilder'
/** How long before its use a key is published by default. Publication may be late by as much. */
export const aheadSeconds = 86_400
export const marginSeconds = 600
export const refused = { name: 'RotationRefusedError', code: 'rotation_refused' }
export const givenUp = { name: 'RotationGivenUpError', code: 'rotation_given_up' }
const start = 1_800_000_000_000

export interface KeyRotationOptions {
  readonly builder?: Record<string, unknown>
  readonly elements?: RawElements
  /** Wraps what the rotation changes. */
  readonly wrapSecrets?: (secrets: SecretRotation) => SecretRotation
  readonly wrapStore?: (store: RecordStore) => RecordStore
}

/** The rotation of the key of `theBuilder`, by a clock that the test moves. */
export interface KeyRotation {
  readonly secrets: VirtualSecrets
  readonly store: RecordStore
  readonly events: readonly LogEvent[]
  readonly log: Log
  readonly rotateKey: BackgroundApplication['rotateKey']
  readonly answerEvent: BackgroundApplication['answerEvent']
  now(): number
  pass(seconds: number): void
  step(step: RotationStep, token: string): Promise<void>
  /** Runs all four steps. */
  rotate(token: string): Promise<void>
  publish(): Promise<void>
  published(): Promise<readonly PublishedKey[]>
  publishedKids(): Promise<readonly string[]>
  /** The keys in the current version of the secret. */
  keys(): readonly SigningKey[]
  signer(): SigningKey
}

/** The secret starts as the stack makes it. */
export async function createKeyRotation(t: TestContext, options: KeyRotationOptions = {}): Promise<KeyRotation> {
  const { builder, wrapSecrets = (each) => each, wrapStore = (each) => each } = options
  let time = start
  let ids = 0
  const now = () => time
  const secrets = createVirtualSecrets()
  secrets.put(rotatedSecretName, '{ "keys": [] }')
  const store = memoryRecords({ maximumRecords: 100 })
  const events: LogEvent[] = []
  const log: Log = (event) => void events.push(event)
  const all = {
    ...exampleElements(exampleIssuer, { builder: { signatureAlgorithm: 'ES256', ...builder } }),
    ...options.elements,
  }
  const elements = await elementStoreOf(t, all)
  const background = createBackgroundApplication(
    withDefaultPorts({
      ...{ elements, secretStore: secrets, now, log },
      store: wrapStore(store),
      secretRotation: wrapSecrets(secrets),
      randomId: () => `version-${ids++}`,
      pause: () => new Promise<void>(() => {}),
      ...{ connections: unchangingConnections(plainConnection), secrets: thePassword, signers: theSigners },
      tokenEndpoint: { post: () => assert.fail('no token is asked for here') },
    }),
  )
  const { rotateKey, publishKeys, answerEvent } = background
  const names = { jwtBuilder: 'theBuilder', secretName: rotatedSecretName }
  const keys = () => readGeneratedKeys(rotatedSecretName, new Secret(secrets.current(rotatedSecretName)))
  const published = async () => {
    return keysOf(await publicationIn(store, 'theBuilder', now()), now())
  }
  const step = (each: RotationStep, token: string) => rotateKey({ ...names, step: each, token }, now() + 10_000)
  return {
    ...{ secrets, store, events, log, rotateKey, answerEvent, now, keys, published, step },
    pass(seconds) {
      time += seconds * 1000
    },
    async rotate(token) {
      secrets.begin(rotatedSecretName, token)
      for (const each of rotationSteps) await step(each, token)
    },
    publish: () => publishKeys(['theBuilder'], now() + 10_000),
    publishedKids: async () => (await published()).map(({ jwk }) => jwk.kid),
    signer() {
      const key = currentKey(keys(), now())
      assert(key, 'no key signs')
      return key
    },
  }
}

/** A server that reads the published JWK set can verify what the current key signs. */
export async function assertVerifies(rotation: KeyRotation): Promise<void> {
  const key = rotation.signer()
  const signed = await new SignJWT({}).setProtectedHeader({ alg: 'ES256', kid: key.keyId }).sign(key.privateKey)
  const keys = (await rotation.published()).map(({ jwk }) => jwk)
  await jwtVerify(signed, createLocalJWKSet({ keys }))
}
