import type { KeyObject, X509Certificate } from 'node:crypto'
import { TokenwellError } from '../base/tokenwell-error.ts'
import type { KmsKeyReference } from '../configuration/assertion-configuration.ts'
import type { SignatureAlgorithm } from '../configuration/signature-algorithm.ts'
import { Secret } from '../secret/secret.ts'
import { keyAlgorithmMismatch } from './key-algorithm.ts'
import { addRevocations, type KeyRevocation, ownerOf, revokedKeysOf } from './key-revocation.ts'
import { type KeyService, KeyServiceError, type ServiceKey } from './key-service.ts'
import { certificatesOfKmsKey, isCertified, writtenCertificates } from './kms-certificates.ts'
import { digestOf, signatureOfJws } from './service-signature.ts'
import { certificateMembers, type Signer } from './signer.ts'
import { currentKey, keyIdOf, previousKey, type Times } from './signing-key.ts'

/** A key in KMS that the publication of a jwtBuilder names: it signs by its ARN, wherever its alias points. */
export interface PinnedKey extends Times {
  readonly keyArn: string
  readonly keyId: string
  readonly publicKey: KeyObject
  readonly signsFrom: number
  /** As published. */
  readonly certificates: readonly X509Certificate[]
}

/** Port: the keys that the publications of this stage pin. */
export interface PinnedKeys {
  /**
   * @returns an empty list where no KMS key is published for the jwtBuilder
   * @throws {TokenwellError} if they can't be read now
   */
  read(jwtBuilder: string): Promise<readonly PinnedKey[]>
}

/** The longest time that an instance uses pinned keys before it reads them again, as for secrets. */
const maximumAgeMilliseconds = 5 * 60_000
/** The wait before the next read, after one failed. */
const pauseMilliseconds = 10_000

interface Kept<T> {
  readonly value: Promise<T>
  readonly readAgainAt: number
}

/** The signers of keys in KMS. The publication of the jwtBuilder and the clock decide which key signs. */
export type KmsSigners = ReturnType<typeof createKmsSigners>

export function createKmsSigners({
  keyService,
  pinnedKeys,
  now,
}: {
  readonly keyService: KeyService
  readonly pinnedKeys: PinnedKeys
  readonly now: () => number
}) {
  const pinned = new Map<string, Kept<readonly PinnedKey[]>>()
  const ofAlias = new Map<string, Kept<ServiceKey>>()
  let revocations: readonly KeyRevocation[] = []

  /** What is known last where they can't be read. Empty where nothing is known. */
  async function pinsOf(jwtBuilder: string): Promise<readonly PinnedKey[]> {
    const known = pinned.get(jwtBuilder)
    if (known && now() < known.readAgainAt) return await known.value
    const value = pinnedKeys.read(jwtBuilder).catch(async (error) => {
      if (!(error instanceof TokenwellError)) {
        if (known) pinned.set(jwtBuilder, known)
        else pinned.delete(jwtBuilder)
        throw error
      }
      pinned.set(jwtBuilder, { value, readAgainAt: now() + pauseMilliseconds })
      return (await known?.value) ?? []
    })
    pinned.set(jwtBuilder, { value, readAgainAt: now() + maximumAgeMilliseconds })
    return await value
  }

  function readAgain(jwtBuilder: string): void {
    const kept = pinned.get(jwtBuilder)
    if (kept) pinned.set(jwtBuilder, { ...kept, readAgainAt: -Infinity })
  }

  async function keyOfAlias(alias: string): Promise<ServiceKey> {
    const known = ofAlias.get(alias)
    if (known && now() < known.readAgainAt) return await known.value
    const value = keyService.publicKey(alias).catch(async (error) => {
      if (known && error instanceof TokenwellError && error.isPassing) {
        ofAlias.set(alias, { ...known, readAgainAt: now() + pauseMilliseconds })
        return await known.value
      }
      ofAlias.delete(alias)
      throw error
    })
    ofAlias.set(alias, { value, readAgainAt: now() + maximumAgeMilliseconds })
    return await value
  }

  /** @throws {KeyServiceError} if the key can't sign with that algorithm */
  async function fittingKey({ kmsAlias }: KmsKeyReference, algorithm: SignatureAlgorithm): Promise<ServiceKey> {
    const key = await keyOfAlias(kmsAlias)
    const mismatch = keyAlgorithmMismatch(key.publicKey, algorithm, 'is')
    if (mismatch === undefined) return key
    ofAlias.delete(kmsAlias)
    throw new KeyServiceError(kmsAlias, mismatch)
  }

  function signerOf(
    { kmsAlias: alias }: KmsKeyReference,
    algorithm: SignatureAlgorithm,
    { keyArn, keyId, certificates }: Pick<PinnedKey, 'keyArn' | 'keyId' | 'certificates'>,
  ): Signer {
    return {
      keyId,
      ...certificateMembers(certificates),
      async sign(header, claims) {
        const input = `${encode(header)}.${encode(claims)}`
        const message = Buffer.from(input)
        const digest = digestOf(message, algorithm)
        const made = await keyService.sign({ alias, keyArn, algorithm, message, ...(digest && { digest }) })
        const signature = signatureOfJws(made, algorithm)
        if (!signature)
          throw new KeyServiceError(
            alias,
            `made a signature that is not one of ${algorithm}. Check that it is a key of AWS KMS with that curve.`,
          )
        return new Secret(`${input}.${Buffer.from(signature).toString('base64url')}`)
      },
    }
  }

  /** Nothing is published for the jwtBuilder yet, or it can't be read: no other key can be meant. */
  async function signerOfAlias(key: KmsKeyReference, algorithm: SignatureAlgorithm): Promise<Signer> {
    const { keyArn, publicKey } = await fittingKey(key, algorithm)
    const keyId = key.kid ?? keyIdOf(publicKey)
    if (revokedOf(key).has(keyId)) throw describeRevoked(key, [keyId])
    return signerOf(key, algorithm, { keyArn, keyId, certificates: certificatesOfKmsKey(key, publicKey) })
  }

  function revokedOf(key: KmsKeyReference): ReadonlySet<string> {
    return revokedKeysOf(ownerOf(key), revocations)
  }

  function usableAmong(
    pins: readonly PinnedKey[],
    key: KmsKeyReference,
    algorithm: SignatureAlgorithm,
  ): readonly PinnedKey[] {
    const revoked = revokedOf(key)
    const isFitting = ({ publicKey }: PinnedKey) => !keyAlgorithmMismatch(publicKey, algorithm)
    return pins.filter((each) => !revoked.has(each.keyId) && isFitting(each))
  }

  /** The certificate of the keyStore, if it belongs to this key. Otherwise that of the publication. */
  function withCertificate(key: KmsKeyReference, pin: PinnedKey): PinnedKey {
    const certificates = writtenCertificates(key)
    return isCertified(pin.publicKey, certificates) ? { ...pin, certificates } : pin
  }

  /** @throws {KeyServiceError} always: why no pinned key signs */
  async function refuse(
    key: KmsKeyReference,
    algorithm: SignatureAlgorithm,
    pins: readonly PinnedKey[],
  ): Promise<never> {
    // The next request may find another publication. If it can't read one, these keys still count.
    readAgain(key.jwtBuilder)
    await fittingKey(key, algorithm)
    const revoked = revokedOf(key)
    const passedOver = pins.map(({ keyId }) => keyId).filter((keyId) => revoked.has(keyId))
    if (passedOver.length > 0) throw describeRevoked(key, passedOver)
    throw new KeyServiceError(
      key.kmsAlias,
      `is not published yet for jwtBuilder/${key.jwtBuilder}, and no other key signs. refresh-token publishes it when elements change, and at least hourly. If it does not, its log event publication_failed says why.`,
      { isPassing: true },
    )
  }

  return {
    /**
     * The signer of the key that signs now. Where nothing is pinned, that is the key of the alias.
     * @throws {KeyServiceError}
     */
    async current(key: KmsKeyReference, algorithm: SignatureAlgorithm): Promise<Signer> {
      const pins = await pinsOf(key.jwtBuilder)
      if (pins.length === 0) return await signerOfAlias(key, algorithm)
      const chosen = currentKey(usableAmong(pins, key, algorithm), now())
      if (!chosen) return await refuse(key, algorithm, pins)
      return signerOf(key, algorithm, withCertificate(key, chosen))
    },

    /** The signer of the key before, while it is still published. */
    async previous(key: KmsKeyReference, algorithm: SignatureAlgorithm): Promise<Signer | undefined> {
      const chosen = previousKey(usableAmong(await pinsOf(key.jwtBuilder), key, algorithm), now())
      return chosen && signerOf(key, algorithm, withCertificate(key, chosen))
    },

    /** These keys sign no longer. */
    revoke(latest: readonly KeyRevocation[]): void {
      revocations = addRevocations(revocations, latest)
    },

    /** Makes the next request read the pinned keys again: the fleet has learned of a change. */
    readAllAgain(): void {
      for (const jwtBuilder of pinned.keys()) readAgain(jwtBuilder)
    },
  }
}

function encode(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url')
}

function describeRevoked({ kmsAlias, jwtBuilder }: KmsKeyReference, kids: readonly string[]): KeyServiceError {
  return new KeyServiceError(
    kmsAlias,
    `may not sign for jwtBuilder/${jwtBuilder}: the operator has revoked ${kids.join(', ')}. Give a new key an alias of its own, and write it into location of the keyStore. It signs at once.`,
  )
}
