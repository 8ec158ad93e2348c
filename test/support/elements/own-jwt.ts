import assert from 'node:assert/strict'
import {
  type AssertionConfiguration,
  isOfSecret,
  type JwtOfSecret,
} from '../../../lib/configuration/assertion-configuration.ts'

/** The assertion, which must be a JWT that Tokenwell signs with a key in a secret. */
export function ownJwt(assertion: AssertionConfiguration | undefined): JwtOfSecret {
  assert.ok(assertion && isOfSecret(assertion))
  return assertion
}
