import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import {
  isEdwardsAlgorithm,
  isRsaAlgorithm,
  isSharedKeyAlgorithm,
  isSignatureAlgorithm,
  type SignatureAlgorithm,
} from '../configuration/signature-algorithm.ts'
import type { SigningKey } from './signing-key.ts'

const minimumRsaBits = 2048
const curves = { ES256: 'prime256v1', ES384: 'secp384r1', ES512: 'secp521r1' } as const
const curveNames: Readonly<Record<string, string>> = {
  prime256v1: 'P-256',
  secp384r1: 'P-384',
  secp521r1: 'P-521',
}

/**
 * Why this key can't sign with that algorithm: its `alg` names another one, or its type does not fit. Completes "The secret …".
 * Undefined if the two match.
 */
export function whyUnfit(
  { privateKey, algorithm: marked }: SigningKey,
  algorithm: SignatureAlgorithm,
): string | undefined {
  const isAlike = marked === algorithm || (isEdwardsAlgorithm(algorithm) && marked && isEdwardsAlgorithm(marked))
  if (marked === undefined || isAlike) return keyAlgorithmMismatch(privateKey, algorithm)
  const markedFor = isSignatureAlgorithm(marked) ? marked : 'another algorithm'
  return `holds a JWK whose alg is ${markedFor}, not ${algorithm}. Change signatureAlgorithm, or take alg out of the JWK.`
}

/**
 * Why this key can't sign with that algorithm (RFC 7518 section 3, RFC 8037): the key that was found and the key that is
 * needed. Completes "The secret …", or with the verb `is` "The KMS key …". Undefined if the two match.
 */
export function keyAlgorithmMismatch(
  key: KeyObject,
  algorithm: SignatureAlgorithm,
  verb: 'holds' | 'is' = 'holds',
): string | undefined {
  const found = `${verb} ${describeKey(key)}`
  const type = key.asymmetricKeyType
  if (isSharedKeyAlgorithm(algorithm))
    return `${found}, but ${algorithm} needs a shared key. Name its secret in sharedKey.`
  if (isRsaAlgorithm(algorithm)) {
    // jose refuses RSA-PSS keys: a JWK can't express their restriction to PSS and a digest.
    if (type === 'rsa-pss') return `${found}, but ${algorithm} needs an RSA key that is not restricted to PSS.`
    if (type !== 'rsa') return `${found}, but ${algorithm} needs an RSA key.`
    const bits = key.asymmetricKeyDetails?.modulusLength ?? 0
    return bits < minimumRsaBits ? `${found}, but ${algorithm} needs at least ${minimumRsaBits} bits.` : undefined
  }
  if (isEdwardsAlgorithm(algorithm))
    return type === 'ed25519' ? undefined : `${found}, but ${algorithm} needs an Ed25519 key.`

  const curve = (curves as Partial<Record<SignatureAlgorithm, string>>)[algorithm]
  if (type === 'ec' && key.asymmetricKeyDetails?.namedCurve === curve) return undefined
  const neededCurve = curve ? curveNames[curve] : 'another curve'
  return `${found}, but ${algorithm} needs an EC key on ${neededCurve}.`
}

/** Such as `a 2048 bit RSA key` or `an EC key on P-256`. */
function describeKey({ asymmetricKeyType, asymmetricKeyDetails }: KeyObject): string {
  if (asymmetricKeyType === 'rsa') return `a ${asymmetricKeyDetails?.modulusLength} bit RSA key`
  if (asymmetricKeyType === 'rsa-pss') return `a ${asymmetricKeyDetails?.modulusLength} bit RSA-PSS key`
  if (asymmetricKeyType === 'ec') {
    const curve = asymmetricKeyDetails?.namedCurve ?? 'an unnamed curve'
    return `an EC key on ${curveNames[curve] ?? curve}`
  }
  return `a key of type ${asymmetricKeyType}`
}

/**
 * Makes a new private key for the algorithm.
 * @param modulusLength in bits, for an RSA key
 */
export function generateKey(algorithm: SignatureAlgorithm, modulusLength: number): KeyObject {
  switch (algorithm) {
    case 'ES256':
      return generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
    case 'ES384':
      return generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey
    case 'ES512':
      return generateKeyPairSync('ec', { namedCurve: 'P-521' }).privateKey
    case 'Ed25519':
    case 'EdDSA':
      return generateKeyPairSync('ed25519').privateKey
    default:
      return generateKeyPairSync('rsa', { modulusLength }).privateKey
  }
}
