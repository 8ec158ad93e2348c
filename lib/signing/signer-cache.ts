import { createSecretKey } from 'node:crypto'
import type { KeyReference } from '../configuration/connection.ts'
import { isSharedKeyAlgorithm, type SignatureAlgorithm } from '../configuration/signature-algorithm.ts'
import { oneLine, type Secret } from '../secret/secret.ts'
import type { SecretCache } from '../secret/secret-cache.ts'
import { misfit } from './key-algorithm.ts'
import { createLocalSigner, type Signer } from './signer.ts'
import { currentKey, isTimed, KeyStoreError, nextKey, previousKey, type SigningKey } from './signing-key.ts'
import { readSigningKeys } from './signing-secret.ts'

/** The signers of one process. */
export interface Signers {
  /**
   * The one that signs now.
   * @throws {SecretError} when the secret can't be had
   * @throws {KeyStoreError} when it holds no key that fits
   */
  get(key: KeyReference, algorithm: SignatureAlgorithm): Promise<Signer>
  /**
   * The one that signed before: by the clock where the keys have times, else that of the secret's version before; undefined
   * where there is none.
   * @throws {SecretError} when the secret can't be had
   * @throws {KeyStoreError} when the version before holds no key that fits
   */
  getPrevious(key: KeyReference, algorithm: SignatureAlgorithm): Promise<Signer | undefined>
}

/** Of one version of a secret, each made at its first use. */
interface SignersOfVersion extends Pick<KeyChoice, 'isTimed'> {
  /** @throws {KeyStoreError} */
  current(now: number): Signer
  /** @throws {KeyStoreError} */
  previous(now: number): Signer | undefined
}

/** How long a key may be used before its secret is read again is the secret cache's to decide; which one signs, the clock's. */
export function createSigners(secrets: SecretCache, now: () => number): Signers {
  const known = new Map<string, { readonly secret: Secret; readonly signers: SignersOfVersion }>()

  function signersOf(key: KeyReference, algorithm: SignatureAlgorithm, secret: Secret): SignersOfVersion {
    const id = JSON.stringify([key.location, key.alias, algorithm])
    const kept = known.get(id)
    if (kept?.secret.equals(secret)) return kept.signers
    const signers = createSignersOfVersion(key, algorithm, secret)
    known.set(id, { secret, signers })
    return signers
  }

  return {
    async get(key, algorithm) {
      const secret = await secrets.get(key.location)
      try {
        return signersOf(key, algorithm, secret).current(now())
      } catch (error) {
        secrets.forget(key.location)
        throw error
      }
    },
    async getPrevious(key, algorithm) {
      const secret = await secrets.get(key.location)
      const signers = signersOf(key, algorithm, secret)
      if (signers.isTimed) return signers.previous(now())
      const before = await secrets.getPrevious(key.location)
      if (!before || before.equals(secret)) return undefined
      return createSignersOfVersion(key, algorithm, before).current(now())
    },
  }
}

function createSignersOfVersion(key: KeyReference, algorithm: SignatureAlgorithm, secret: Secret): SignersOfVersion {
  if (isSharedKeyAlgorithm(algorithm)) {
    const signer = createSharedKeySigner(key, algorithm, secret)
    return { isTimed: false, current: () => signer, previous: () => undefined }
  }
  const choice = createKeyChoice(key, readSigningKeys(key.location, secret))
  const made = new Map<SigningKey, Signer>()
  const signerOf = (signingKey: SigningKey) => {
    const signer = made.get(signingKey) ?? createKeySigner(key, algorithm, signingKey)
    made.set(signingKey, signer)
    return signer
  }
  return {
    isTimed: choice.isTimed,
    current: (now) => signerOf(choice.current(now)),
    previous(now) {
      const signingKey = choice.previous(now)
      return signingKey && signerOf(signingKey)
    },
  }
}

function createKeySigner({ location }: KeyReference, algorithm: SignatureAlgorithm, signingKey: SigningKey): Signer {
  const complaint = misfit(signingKey.privateKey, algorithm)
  if (complaint) throw new KeyStoreError(location, complaint)
  return createLocalSigner(signingKey.privateKey, signingKey)
}

/** The key is the text's UTF-8 bytes, as in the original. */
function createSharedKeySigner({ location }: KeyReference, algorithm: SignatureAlgorithm, secret: Secret): Signer {
  const bytes = Buffer.from(oneLine(secret).reveal(), 'utf8')
  const neededBytes = Number(algorithm.slice(2)) / 8
  // RFC 7518 section 3.2: a key shorter than the digest weakens it.
  if (bytes.length < neededBytes)
    throw new KeyStoreError(location, `holds ${bytes.length} bytes; ${algorithm} needs at least ${neededBytes}.`)
  return createLocalSigner(createSecretKey(bytes), {})
}

/** Which of a secret's keys signs. */
export interface KeyChoice {
  /** Whether the clock decides: the keys have times. Else it is always the same. */
  readonly isTimed: boolean
  /** @throws {KeyStoreError} when none does at that time */
  current(now: number): SigningKey
  /** By the clock; undefined where none has signed before. */
  previous(now: number): SigningKey | undefined
}

/** @throws {KeyStoreError} when no key has the alias that is named, or several do of which none has a time */
export function createKeyChoice({ location, alias }: KeyReference, keys: readonly SigningKey[]): KeyChoice {
  const candidates = alias === undefined ? keys : keys.filter(({ keyId }) => keyId === alias)
  const [only, ...others] = candidates
  if (!only)
    throw new KeyStoreError(location, `holds no key ${JSON.stringify(alias)}; keyAlias can be: ${aliasesOf(keys)}.`)
  if (isTimed(candidates))
    return {
      isTimed: true,
      current: (now) => currentKey(candidates, now) ?? complainOfNone(location, candidates, now),
      previous: (now) => previousKey(candidates, now),
    }
  if (others.length > 0)
    throw new KeyStoreError(location, `holds several keys; say which one signs by keyAlias: ${aliasesOf(keys)}.`)
  return { isTimed: false, current: () => only, previous: () => undefined }
}

function complainOfNone(location: string, keys: readonly SigningKey[], now: number): never {
  const [next, last] = [nextKey(keys, now), previousKey(keys, now)]
  const ended = last ? `; the last one, ${last.keyId}, ended at ${textOf(last.signsUntil)}` : ''
  const toDo = next
    ? `; the next one, ${next.keyId}, will from ${textOf(next.signsFrom)}: wait for it or make its signsFrom earlier, and see that the clock is right.`
    : ': rotate the secret, which makes a new one.'
  const untimed = keys.filter(({ signsFrom }) => signsFrom === undefined)
  const passedOver =
    untimed.length > 0 ? ` Beside keys with signsFrom those without never sign: ${aliasesOf(untimed)}.` : ''
  throw new KeyStoreError(location, `holds no key that signs now${ended}${toDo}${passedOver}`)
}

function textOf(milliseconds = 0): string {
  return new Date(milliseconds).toISOString()
}

function aliasesOf(keys: readonly SigningKey[]): string {
  return keys.map(({ keyId }) => keyId).join(', ')
}
