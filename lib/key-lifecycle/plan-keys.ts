import { type GeneratedKey, isInKms, type SecretKeyReference } from '../configuration/assertion-configuration.ts'
import type { Deployment } from '../configuration/deployment.ts'
import type { ElementStore } from '../configuration/element-store.ts'
import { type BuilderKey, resolveBuilderKey } from '../configuration/resolve-key.ts'
import { isSharedKeyAlgorithm } from '../configuration/signature-algorithm.ts'
import { keyAlgorithmMismatch } from '../signing/key-algorithm.ts'
import { assertionDrainMilliseconds, currentKey, isTimed, type SigningKey, stagedKey } from '../signing/signing-key.ts'
import { RotationRefusedError } from './rotating-secret.ts'

/*
 *   createSecret    setSecret                                        signsFrom
 *        |-- margin ----|----------- publishAheadSeconds -----------------|---- the new key signs
 */

const marginShare = 0.1
const marginSeconds = { least: 2, most: 600 } as const

/**
 * Plans the keys of a secret's next version: a new staged key, the current key until that one signs, and earlier keys whose
 * assertions may not have expired. If no key signs, because there is no key yet or it was removed, the staged key or a new one
 * signs at once.
 * @throws {RotationRefusedError} if a key signs and another one is staged already
 */
export function planKeys(
  { algorithm, assertionSeconds, generated, key: { location } }: RotatedBuilder,
  keys: readonly SigningKey[],
  now: number,
  createKey: () => SigningKey,
): readonly SigningKey[] {
  const isFitting = ({ privateKey }: SigningKey) => !keyAlgorithmMismatch(privateKey, algorithm)
  const kept = withTimes(keys).filter((key) => {
    const { signsFrom = -Infinity, signsUntil = Infinity } = key
    // A key of another algorithm stays for the assertions that it signed. A staged key of another algorithm must never sign.
    return now < signsUntil + assertionDrainMilliseconds(assertionSeconds) && (signsFrom <= now || isFitting(key))
  })
  const fitting = kept.filter(isFitting)
  const staged = stagedKey(fitting, now)
  const current = currentKey(fitting, now)
  if (!current) {
    const [first, signsFrom] = [staged ?? createKey(), startOfSecond(now)]
    const others = kept.filter((key) => key !== first)
    return [{ ...first, signsFrom }, ...others.map((key) => endedBy(key, signsFrom))]
  }

  if (staged) throw new RotationRefusedError(describeStaged(location, staged, now))
  const signsFrom = firstSignature(generated, now)
  // The current key may end at the start of a key that was removed since. It continues to sign until the new key starts.
  const others = kept.map((key) => (key === current ? { ...key, signsUntil: signsFrom } : endedBy(key, signsFrom)))
  return [{ ...createKey(), signsFrom }, ...others]
}

/** A key that was stored before keys had times counts as one that always signed. */
function withTimes(keys: readonly SigningKey[]): readonly SigningKey[] {
  return isTimed(keys) ? keys : keys.map((key) => ({ ...key, signsFrom: 0 }))
}

function endedBy(key: SigningKey, end: number): SigningKey {
  const { signsFrom = Infinity, signsUntil = Infinity } = key
  return signsFrom <= end && end < signsUntil ? { ...key, signsUntil: end } : key
}

/** Secrets Manager repeats a step that fails. The new key may be published late by this margin. */
function marginSecondsOf({ publishAheadSeconds, rotationSeconds }: GeneratedKey): number {
  if (publishAheadSeconds === 0) return 0
  const wanted = Math.min(marginSeconds.most, Math.max(marginSeconds.least, publishAheadSeconds * marginShare))
  // The next rotation must not find the new key still staged.
  return Math.max(0, Math.min(wanted, (rotationSeconds - publishAheadSeconds) / 2))
}

function firstSignature(generated: GeneratedKey, now: number): number {
  return startOfSecond(now + aheadMillisecondsOf(generated) + 999)
}

/** How long before its first signature a key may be published. Zero if the operator brings the keys. */
export function aheadMillisecondsOf(generated: GeneratedKey | undefined): number {
  return generated ? (generated.publishAheadSeconds + marginSecondsOf(generated)) * 1000 : 0
}

function startOfSecond(now: number): number {
  return Math.floor(now / 1000) * 1000
}

function describeStaged(location: string, { keyId, signsFrom = 0 }: SigningKey, now: number): string {
  const minutes = Math.ceil((signsFrom - now) / 60_000)
  return `The secret ${location} was already rotated. Its next key ${keyId} is published and starts to sign in ${minutes} min. Rotate it again after that.`
}

/** A jwtBuilder whose keys Tokenwell makes and rotates. */
export interface RotatedBuilder extends BuilderKey {
  readonly key: SecretKeyReference
  readonly generated: GeneratedKey
}

/**
 * @throws {RotationRefusedError} if Tokenwell does not make its keys
 * @throws {ConfigurationError}
 */
export async function resolveRotatedBuilder(
  elements: ElementStore,
  deployment: Deployment,
  jwtBuilder: string,
): Promise<RotatedBuilder> {
  const builder = await resolveBuilderKey(elements, deployment, jwtBuilder)
  const name = `jwtBuilder/${jwtBuilder}`
  if (!builder)
    throw new RotationRefusedError(
      `The element ${name} does not exist. Add it, or end the rotation of its secret and delete the secret.`,
    )
  const { algorithm, certificateThumbprint, hasCertificateChain, key } = builder
  if (isSharedKeyAlgorithm(algorithm))
    throw new RotationRefusedError(
      `${name} signs with a shared key (${algorithm}), which Tokenwell does not rotate. Change it together with the server that verifies its signatures.`,
    )
  if (isInKms(key))
    throw new RotationRefusedError(
      `${name} signs with a KMS key, which Tokenwell does not rotate. Change the key in KMS: infra/operations.md has the steps under "Change a KMS key".`,
    )
  if (!key.generated)
    throw new RotationRefusedError(
      `${name} signs with a key from its keyStore, which Tokenwell does not rotate. Set jwkEnabled to let Tokenwell make and rotate the key.`,
    )
  if (certificateThumbprint !== 'none')
    throw new RotationRefusedError(
      `${name} sets certificateThumbprint to ${certificateThumbprint}, but a key that Tokenwell makes has no certificate. Set certificateThumbprint to none, or use your own keys.`,
    )
  if (hasCertificateChain)
    throw new RotationRefusedError(
      `${name} sets x5c, but a key that Tokenwell makes has no certificate. Take x5c out, or use your own keys.`,
    )
  return { ...builder, key, generated: key.generated }
}
