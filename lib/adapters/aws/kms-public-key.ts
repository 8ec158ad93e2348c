import { createPublicKey, type KeyObject } from 'node:crypto'

/** The public key in an answer of KMS, which has it as DER. Undefined if it can't be read. */
export function readPublicKey(spki: Uint8Array | undefined): KeyObject | undefined {
  try {
    return createPublicKey({ key: Buffer.from(spki ?? []), format: 'der', type: 'spki' })
  } catch {
    // The error of Node.js does not help an operator.
    return undefined
  }
}
