import type { WebIdentityConfiguration } from './assertion-configuration.ts'
import type { AwsWebIdentity, ElementReference, Elements } from './element.ts'
import type { FindingList } from './finding.ts'
import type { WebIdentityAlgorithm } from './signature-algorithm.ts'

const defaultAlgorithm: WebIdentityAlgorithm = 'ES384'
/** Long enough for a slow server. Each attempt has a new JWT. */
const defaultDurationSeconds = 300

interface TokenConfig {
  readonly element: ElementReference
  readonly attributes: Elements['oAuthTokenConfig']
}

/** The JWT that AWS signs for an `oAuthTokenConfig` whose `tokenGeneratorRef` names an `awsWebIdentity`. */
export function resolveWebIdentity(
  findings: FindingList,
  { element, attributes }: TokenConfig,
  { audience, signingAlgorithm, durationSeconds, tags, role }: AwsWebIdentity,
): WebIdentityConfiguration {
  for (const attribute of ['tokenSubject', 'claims'] as const)
    if (attributes[attribute] !== undefined)
      findings.addMistake(
        element,
        attribute,
        `AWS signs the JWT of awsWebIdentity/${attributes.tokenGeneratorRef} and decides its claims. Take this attribute out.`,
      )
  return {
    awsWebIdentity: attributes.tokenGeneratorRef,
    audiences: audience,
    algorithm: signingAlgorithm ?? defaultAlgorithm,
    durationSeconds: durationSeconds ?? defaultDurationSeconds,
    tags: tags ?? {},
    hasOwnRole: role === 'connection',
  }
}
