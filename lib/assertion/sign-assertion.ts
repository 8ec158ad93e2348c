import type { AssertionConfiguration } from '../configuration/connection.ts'
import type { Secret } from '../secret/secret.ts'
import type { Signer } from '../signing-key/signer.ts'
import { type AssertionMoment, createClaims } from './claims.ts'
import { createHeader } from './header.ts'

/** A new client assertion for one attempt: a compact JWS that must never be sent twice. */
export function signAssertion(
  assertion: AssertionConfiguration,
  signer: Signer,
  moment: AssertionMoment,
): Promise<Secret> {
  return signer.sign(createHeader(assertion, signer), createClaims(assertion, moment))
}
