import type { AssertionConfiguration } from '../../../lib/configuration/connection.ts'

/** What the elements of a plain client resolve to, with these changes. */
export function plainAssertion(changes: Partial<AssertionConfiguration> = {}): AssertionConfiguration {
  return {
    issuer: 'theIssuer',
    subject: 'theClient',
    audiences: ['https://as.example'],
    expiresInSeconds: 120,
    issuedAtOffsetSeconds: 0,
    hasJwtId: true,
    claims: {},
    algorithm: 'RS256',
    type: 'JWT',
    certificateThumbprint: 'none',
    key: { location: 'tokenwell/test/the-key' },
    ...changes,
  }
}
