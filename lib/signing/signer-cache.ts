import { createSecretKey } from 'node:crypto'
import type { SecretKeyReference } from '../configuration/assertion-configuration.ts'
import { isSharedKeyAlgorithm, type SignatureAlgorithm } from '../configuration/signature-algorithm.ts'
import type { Secret } from '../secret/secret.ts'
import type { SecretCache } from '../secret/secret-cache.ts'
import { whyUnfit } from './key-algorithm.ts'
import { addRevocations, type KeyRevocation, revokedKeysOf } from './key-revocation.ts'
import { demandHost, demandUnreserved, readSharedKey, type SecretUse } from './secret-use.ts'
import { createLocalSigner, type Signer } from './signer.ts'
import { currentKey, isTimed, KeyStoreError, previousKey, type SigningKey, stagedKey } from './signing-key.ts'
import { readSigningKeys } from './signing-secret.ts'

/** The signers that one instance has made from the secrets in its `SecretCache`. The clock decides which key signs. */
export type SignerCache = ReturnType<typeof createSignerCache>

export function createSignerCache(secrets: SecretCache, now: () => number) {
  const made = new Map<string, { readonly secret: Secret; readonly signers: VersionSigners }>()
  let revocations: readonly KeyRevocation[] = []

  function signersOf(key: SecretKeyReference, algorithm: SignatureAlgorithm, secret: Secret): VersionSigners {
    const id = JSON.stringify([key.location, key.alias, algorithm])
    const cached = made.get(id)
    if (cached?.secret.equals(secret)) return cached.signers
    const signers = createVersionSigners(key, algorithm, secret)
    made.set(id, { secret, signers })
    return signers
  }

  return {
    /**
     * The signer of the key that signs now.
     * @param use where the signatures are sent; left out if they are not sent
     * @throws {SecretError} when the secret can't be read
     * @throws {KeyStoreError} when it holds no key that fits, or is not for that use
     */
    async current(key: SecretKeyReference, algorithm: SignatureAlgorithm, use?: SecretUse): Promise<Signer> {
      const secret = await secrets.get(key.location)
      try {
        if (use) demandHost(key.location, secret, use)
        return currentSigner(signersOf(key, algorithm, secret), now(), revokedKeysOf(key, revocations))
      } catch (error) {
        secrets.forget(key.location)
        throw error
      }
    },

    /**
     * The signer of the previous key, or undefined if no key signed before. If the keys have times, the clock decides which key that is.
     * Otherwise it is the key of the secret's previous version, unless that one signs alike.
     * @throws {SecretError} when the secret can't be read
     * @throws {KeyStoreError} when the previous version holds no key that fits
     */
    async previous(
      key: SecretKeyReference,
      algorithm: SignatureAlgorithm,
      use?: SecretUse,
    ): Promise<Signer | undefined> {
      const secret = await secrets.get(key.location)
      if (use) demandHost(key.location, secret, use)
      const signers = signersOf(key, algorithm, secret)
      const revoked = revokedKeysOf(key, revocations)
      if (signers.kind === 'key_pairs' && signers.choice.isTimed) return previousSigner(signers, now(), revoked)
      const secretBefore = await secrets.getPrevious(key.location)
      if (!secretBefore || secretBefore.equals(secret)) return undefined
      if (use) demandHost(key.location, secretBefore, use)
      const signersBefore = createVersionSigners(key, algorithm, secretBefore)
      if (signsAlike(signersBefore, signers, now(), revoked)) return undefined
      return currentSigner(signersBefore, now(), revoked)
    },

    /** These keys sign no longer. */
    revoke(latest: readonly KeyRevocation[]): void {
      revocations = addRevocations(revocations, latest)
    },
  }
}

/** The signers of one version of a secret, for one algorithm. */
type VersionSigners = { readonly kind: 'shared_key'; readonly text: Secret; readonly signer: Signer } | KeyPairSigners
type KeyPairSigners = ReturnType<typeof createKeyPairSigners>

/** @throws {KeyStoreError} when the secret does not hold keys for that algorithm */
function createVersionSigners(key: SecretKeyReference, algorithm: SignatureAlgorithm, secret: Secret): VersionSigners {
  if (!key.generated) demandUnreserved(key.location)
  if (isSharedKeyAlgorithm(algorithm)) {
    const text = readSharedKey(key.location, secret)
    return { kind: 'shared_key', text, signer: createSharedKeySigner(key, algorithm, text) }
  }
  return createKeyPairSigners(key, algorithm, readSigningKeys(key.location, secret))
}

function createKeyPairSigners(key: SecretKeyReference, algorithm: SignatureAlgorithm, keys: readonly SigningKey[]) {
  const choice = createKeyChoice(key, keys)
  const made = new Map<SigningKey, Signer>()

  /** Makes the signer of a key at its first use. */
  function signerOf(signingKey: SigningKey): Signer {
    const signer = made.get(signingKey) ?? createKeySigner(key, algorithm, signingKey)
    made.set(signingKey, signer)
    return signer
  }

  return { kind: 'key_pairs' as const, choice, signerOf }
}

function currentSigner(signers: VersionSigners, now: number, revoked: RevokedKeys): Signer {
  if (signers.kind === 'shared_key') return signers.signer
  return signers.signerOf(signers.choice.current(now, revoked))
}

/** Whether a server that refused one version would refuse the other, because only `hosts` or `expiresAt` differ, or the form. */
function signsAlike(one: VersionSigners, other: VersionSigners, now: number, revoked: RevokedKeys): boolean {
  if (one.kind === 'shared_key') return other.kind === 'shared_key' && one.text.equals(other.text)
  return other.kind === 'key_pairs' && isSameKey(one.choice.current(now, revoked), other.choice.current(now, revoked))
}

function isSameKey(one: SigningKey, other: SigningKey): boolean {
  const certificatesOf = ({ certificates }: SigningKey) => certificates.map(({ fingerprint256 }) => fingerprint256)
  return (
    one.privateKey.equals(other.privateKey) &&
    one.keyId === other.keyId &&
    certificatesOf(one).join() === certificatesOf(other).join()
  )
}

function previousSigner(signers: KeyPairSigners, now: number, revoked: RevokedKeys): Signer | undefined {
  const signingKey = signers.choice.previous(now, revoked)
  return signingKey && signers.signerOf(signingKey)
}

function createKeySigner(
  { location }: SecretKeyReference,
  algorithm: SignatureAlgorithm,
  signingKey: SigningKey,
): Signer {
  const mismatch = whyUnfit(signingKey, algorithm)
  if (mismatch) throw new KeyStoreError(location, mismatch)
  return createLocalSigner(signingKey.privateKey, signingKey)
}

/** The key is the UTF-8 bytes of the text, as in z/OS Connect. */
function createSharedKeySigner({ location }: SecretKeyReference, algorithm: SignatureAlgorithm, text: Secret): Signer {
  const bytes = Buffer.from(text.reveal(), 'utf8')
  const neededBytes = Number(algorithm.slice(2)) / 8
  // RFC 7518 section 3.2: a key shorter than the digest weakens it.
  if (bytes.length < neededBytes)
    throw new KeyStoreError(
      location,
      `holds a key of ${bytes.length} bytes, but ${algorithm} needs at least ${neededBytes} bytes.`,
    )
  return createLocalSigner(createSecretKey(bytes), {})
}

/** The `kid` of every revoked key. */
type RevokedKeys = ReturnType<typeof revokedKeysOf>

/**
 * Chooses which key of a secret signs.
 * @throws {KeyStoreError} when no key has the alias, or when several keys have it without times
 */
export function createKeyChoice(key: SecretKeyReference, keys: readonly SigningKey[]) {
  const { location, alias } = key
  const candidates = alias === undefined ? keys : keys.filter(({ keyId }) => keyId === alias)
  const [only, ...others] = candidates
  const name = JSON.stringify(alias)
  const aliases = aliasesOf(keys)
  if (!only) throw new KeyStoreError(location, `holds no key with the kid ${name}. Set keyAlias to one of: ${aliases}.`)
  // A key without signsFrom beside keys that have it never signs. To reject the whole set would stop every connection of the builder.
  const hasTimes = isTimed(candidates)
  if (!hasTimes && others.length > 0) throw new KeyStoreError(location, describeChoice(candidates, keys))

  return {
    /** Whether the keys have times, so that the clock decides. Otherwise the same key always signs. */
    isTimed: hasTimes,
    /** @throws {KeyStoreError} when no key signs at that time, or the key is revoked */
    current(now: number, revoked: RevokedKeys): SigningKey {
      const usable = candidates.filter(({ keyId }) => !revoked.has(keyId))
      const chosen = hasTimes ? currentKey(usable, now) : usable.at(0)
      if (chosen) return chosen
      const passedOver = candidates.filter(({ keyId }) => revoked.has(keyId))
      if (passedOver.length > 0) throw new KeyStoreError(location, describeRevoked(key, passedOver))
      return throwNoCurrentKey(location, candidates, now)
    },
    /** Undefined if the keys have no times, or no key has signed before. */
    previous(now: number, revoked: RevokedKeys): SigningKey | undefined {
      if (!hasTimes) return undefined
      return previousKey(
        candidates.filter(({ keyId }) => !revoked.has(keyId)),
        now,
      )
    },
  }
}

/** Why more than one key could sign. */
function describeChoice(candidates: readonly SigningKey[], keys: readonly SigningKey[]): string {
  const twice = candidates.find(({ keyId }, index) => candidates.slice(0, index).some((each) => each.keyId === keyId))
  return twice
    ? `holds several keys with the kid ${twice.keyId}. Give each key its own kid, or take the others out.`
    : `holds several keys. Set keyAlias to the key that signs, one of: ${aliasesOf(keys)}.`
}

function describeRevoked({ location, generated }: SecretKeyReference, revoked: readonly SigningKey[]): string {
  const advice = generated
    ? `Rotate the secret; the new key signs at once: aws secretsmanager rotate-secret --secret-id ${location}`
    : 'Store a new key with another kid in it, and register the key at the server that verifies its signatures.'
  const kids = aliasesOf(revoked)
  return `has no key that may sign: the operator has revoked ${kids}. ${advice}`
}

function throwNoCurrentKey(location: string, keys: readonly SigningKey[], now: number): never {
  const [staged, last] = [stagedKey(keys, now), previousKey(keys, now)]
  const ended = last ? ` The last key, ${last.keyId}, signed until ${textOf(last.signsUntil)}.` : ''
  const advice = staged
    ? ` The next key, ${staged.keyId}, signs from ${textOf(staged.signsFrom)}. Wait for it, or make its signsFrom earlier. Check that the clock is right.`
    : ' Rotate the secret to make a new key.'
  const untimed = keys.filter(({ signsFrom }) => signsFrom === undefined)
  const passedOver =
    untimed.length > 0 ? ` If one key has signsFrom, keys without signsFrom never sign: ${aliasesOf(untimed)}.` : ''
  throw new KeyStoreError(location, `holds no key that signs now.${ended}${advice}${passedOver}`)
}

function textOf(milliseconds = 0): string {
  return new Date(milliseconds).toISOString()
}

function aliasesOf(keys: readonly SigningKey[]): string {
  return keys.map(({ keyId }) => keyId).join(', ')
}
