import type { SignatureAlgorithm } from '../configuration/signature-algorithm.ts'
import { Secret } from '../secret/secret.ts'
import { misfit } from './misfit.ts'
import type { SigningKey } from './signing-key.ts'

/**
 * The text of a secret that Tokenwell rotates: a private JWK set, as `read-signing-keys.ts` reads it.
 * @param replaces the version of the secret from which it was made
 */
export function writeKeySet(
  keys: readonly SigningKey[],
  algorithm: SignatureAlgorithm,
  replaces: string | undefined,
): Secret {
  return new Secret(JSON.stringify({ keys: keys.map((key) => writeKey(key, algorithm)), replaces }))
}

/** @returns undefined where the text doesn't say */
export function readReplaces(set: Secret): string | undefined {
  const { replaces } = JSON.parse(set.reveal()) as Readonly<Record<string, unknown>>
  return typeof replaces === 'string' ? replaces : undefined
}

function writeKey({ privateKey, keyId, certificates, signsFrom, signsUntil }: SigningKey, alg: SignatureAlgorithm) {
  return {
    ...privateKey.export({ format: 'jwk' }),
    ...{ kid: keyId, use: 'sig' },
    // A key that is kept for what it has signed may be of another algorithm.
    ...(misfit(privateKey, alg) === undefined && { alg }),
    ...(certificates.length > 0 && { x5c: certificates.map(({ raw }) => raw.toString('base64')) }),
    ...(signsFrom !== undefined && { signsFrom: signsFrom / 1000 }),
    ...(signsUntil !== undefined && { signsUntil: signsUntil / 1000 }),
  }
}
