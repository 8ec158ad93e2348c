import type { Omittable } from './assertion-schema.ts'
import { type ElementReference, type JwtBuilder, keyOf, type OAuthTokenConfig } from './element.ts'
import type { FindingList } from './finding.ts'

/** The elements that describe an assertion. */
export interface AssertionElements {
  readonly builder: ElementReference
  readonly tokenConfig: ElementReference
  /** The assertion authenticates the client, or is the grant (RFC 7523 sections 2.2 and 2.1). */
  readonly use: 'client' | 'grant'
}

/** What sets a claim that `omit` leaves out: one of the two would have no effect. */
export function refuseSettingOmitted(
  { omit = [], ...builder }: JwtBuilder,
  tokenConfig: OAuthTokenConfig,
  origin: AssertionElements,
  findings: FindingList,
): void {
  const tokenElement = keyOf(origin.tokenConfig)
  for (const name of omit) {
    const attribute = settingAttribute(name, builder)
    if (attribute !== undefined)
      findings.addMistake(
        origin.builder,
        'omit',
        `It leaves out ${name}, but ${attribute} sets it. Take out one of the two.`,
      )
    if (Object.hasOwn(tokenConfig.claims ?? {}, name))
      findings.addMistake(
        origin.builder,
        'omit',
        `It leaves out ${name}, but claims of ${tokenElement} sets it. Take out one of the two.`,
      )
    // The subject of a client is its client id, which Tokenwell needs even where the assertion has no sub.
    if (name === 'sub' && origin.use === 'grant' && tokenConfig.tokenSubject !== undefined)
      findings.addMistake(
        origin.builder,
        'omit',
        `It leaves out sub, but tokenSubject of ${tokenElement} sets it. Take out one of the two.`,
      )
  }
}

function settingAttribute(name: Omittable, builder: JwtBuilder): keyof JwtBuilder | undefined {
  const { issuer, nbfOffset, issuedAtOffset, jti } = builder
  if (name === 'iss' && issuer !== undefined) return 'issuer'
  if (name === 'nbf' && nbfOffset !== undefined) return 'nbfOffset'
  if (name === 'iat' && issuedAtOffset !== undefined) return 'issuedAtOffset'
  return name === 'jti' && jti === true ? 'jti' : undefined
}

/** Warns of what servers that follow the standards demand. */
export function adviseOnOmitted(
  omitted: readonly Omittable[],
  { builder, use }: AssertionElements,
  findings: FindingList,
): void {
  for (const name of omitted)
    if (name === 'iss' || (name === 'sub' && use === 'client'))
      findings.addWarning(
        builder,
        'omit',
        `RFC 7523 section 3 requires ${name}, and most servers refuse an assertion without it. If your server wants none, add omit to acceptedWarnings of this element.`,
      )
}
