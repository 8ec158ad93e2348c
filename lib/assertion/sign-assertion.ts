import type { AssertionConfiguration } from '../configuration/connection.ts'
import type { Secret } from '../secret/secret.ts'
import type { Signer } from '../signing-key/signer.ts'
import { type AssertionMoment, createClaims } from './claims.ts'
import { createHeader } from './header.ts'
import type { Validity } from './validity.ts'

/** A client assertion, good for one attempt. */
export interface SignedAssertion {
  /** A compact JWS that must never be sent twice. */
  readonly assertion: Secret
  readonly validity: Validity
}

export async function signAssertion(
  configuration: AssertionConfiguration,
  signer: Signer,
  moment: AssertionMoment,
): Promise<SignedAssertion> {
  const claims = createClaims(configuration, moment)
  const { iat, nbf, exp } = claims
  return {
    assertion: await signer.sign(createHeader(configuration, signer), claims),
    validity: { from: Math.max(Number(iat), Number(nbf ?? 0)) * 1000, until: Number(exp) * 1000 },
  }
}
