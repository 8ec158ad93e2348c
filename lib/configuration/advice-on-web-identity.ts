import { adviseOnIssuer } from './advice-on-assertion.ts'
import type { WebIdentityConfiguration } from './assertion-configuration.ts'
import type { AuthorizationServer } from './element.ts'
import type { FindingList } from './finding.ts'
import type { AssertionUse } from './omitted.ts'

/** Where AWS's JWT is sent, and what for. */
export interface WebIdentityUse {
  readonly server: AuthorizationServer | undefined
  readonly use: Exclude<AssertionUse, 'token'>
}

/** The maximum at many servers. Some exchanges give tokens that live no longer than the JWT, so a grant may want more. */
const longLifetimeSeconds = 300

/** Warnings about a JWT of AWS that servers refuse, or that is worth more to a thief than it must be. */
export function adviseOnWebIdentity(
  { awsWebIdentity, audiences, durationSeconds }: WebIdentityConfiguration,
  { server, use }: WebIdentityUse,
  findings: FindingList,
): void {
  const element = { kind: 'awsWebIdentity', id: awsWebIdentity } as const
  if (use === 'client' && durationSeconds > longLifetimeSeconds)
    findings.addWarning(
      element,
      'durationSeconds',
      'Many servers refuse an assertion that is valid for more than 5 minutes. Make it shorter: an assertion is used only once, immediately.',
    )
  if (audiences.length > 1)
    findings.addWarning(
      element,
      'audience',
      'The JWT has several aud: each server could use it at the others, and servers refuse that (RFC 7523bis). Name only one.',
    )
  const { issuer } = server ?? {}
  if (use === 'client' && issuer !== undefined && !audiences.includes(issuer))
    findings.addWarning(
      element,
      'audience',
      `The aud is not the issuer of the server, which RFC 7523bis requires for the assertion of a client. Set it to ${issuer}. If the server wants another text, as Entra ID does, add audience to acceptedWarnings of this element.`,
    )
  for (const audience of audiences) if (audience !== issuer) adviseOnIssuer(audience, element, 'audience', findings)
}
