import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import type { SignatureAlgorithm } from '../configuration/signature-algorithm.ts'

/**
 * A new private key that fits the algorithm.
 * @param modulusLength bits of an RSA key
 */
export function generateKey(algorithm: SignatureAlgorithm, modulusLength: number): KeyObject {
  switch (algorithm) {
    case 'ES256':
      return generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
    case 'ES384':
      return generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey
    case 'ES512':
      return generateKeyPairSync('ec', { namedCurve: 'P-521' }).privateKey
    case 'EdDSA':
      return generateKeyPairSync('ed25519').privateKey
    default:
      return generateKeyPairSync('rsa', { modulusLength }).privateKey
  }
}
