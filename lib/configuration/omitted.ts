import type { Omittable } from './assertion-schema.ts'
import { type AuthTokenLocal, type ElementReference, type JwtBuilder, keyOf } from './element.ts'
import type { FindingList } from './finding.ts'

/** The elements that describe an assertion. */
export interface AssertionElements {
  readonly builder: ElementReference
  readonly tokenConfig: ElementReference
  readonly use: AssertionUse
}

/**
 * The assertion authenticates the client, or is the grant (RFC 7523 sections 2.2 and 2.1). `token_server`: it is sent to a token server that
 * has its own form of request. `token`: it is itself the token of an API.
 */
export type AssertionUse = 'client' | 'grant' | 'token_server' | 'token'

/** What sets a claim that `omit` leaves out: one of the two would have no effect. */
export function refuseSettingOmitted(
  { omit = [], ...builder }: JwtBuilder,
  tokenConfig: Pick<AuthTokenLocal, 'tokenSubject' | 'claims'>,
  origin: AssertionElements,
  findings: FindingList,
): void {
  const tokenElement = keyOf(origin.tokenConfig)
  const isForOAuth = origin.use === 'client' || origin.use === 'grant'
  for (const name of omit) {
    if (name === 'aud' && isForOAuth)
      findings.addMistake(
        origin.builder,
        'omit',
        'It leaves out aud, but this is an assertion for an OAuth 2.0 server: without aud, the server could use it at another one (RFC 7523 section 3). Take aud out.',
      )
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
    if (name === 'sub' && origin.use !== 'client' && tokenConfig.tokenSubject !== undefined)
      findings.addMistake(
        origin.builder,
        'omit',
        `It leaves out sub, but tokenSubject of ${tokenElement} sets it. Take out one of the two.`,
      )
  }
}

function settingAttribute(name: Omittable, builder: JwtBuilder): keyof JwtBuilder | undefined {
  const { issuer, audiences, nbfOffset, issuedAtOffset, jti } = builder
  if (name === 'iss' && issuer !== undefined) return 'issuer'
  if (name === 'aud' && audiences !== undefined) return 'audiences'
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
    if ((name === 'iss' && use !== 'token_server') || (name === 'sub' && use === 'client'))
      findings.addWarning(
        builder,
        'omit',
        `RFC 7523 section 3 requires ${name}, and most servers refuse an assertion without it. If your server wants none, add omit to acceptedWarnings of this element.`,
      )
}
