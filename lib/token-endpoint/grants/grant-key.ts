import type { AssertionConfiguration } from '../../configuration/assertion-configuration.ts'
import type { AuthTokenGrant } from '../../configuration/auth-token.ts'
import type { JwtBearerGrant, PlainGrant, ServedGrant, TokenExchangeGrant } from '../../configuration/connection.ts'
import { jwtBearer, tokenExchange } from '../../configuration/grant-type.ts'
import type { AssertionMaker } from '../../signing/assertion.ts'

/** A grant, with the maker of each of its JWTs. */
export type GrantKey = JwtBearerKey | TokenExchangeKey | { readonly grant: PlainGrant | AuthTokenGrant }

export interface JwtBearerKey {
  readonly grant: JwtBearerGrant
  readonly maker: AssertionMaker
}

export interface TokenExchangeKey {
  readonly grant: TokenExchangeGrant
  /** Absent for a token that a caller sends. */
  readonly subjectMaker?: AssertionMaker
  readonly actorMaker?: AssertionMaker
}

/** @param makerOf finds the maker of one JWT */
export async function grantKeyOf(
  grant: ServedGrant,
  makerOf: (assertion: AssertionConfiguration) => Promise<AssertionMaker>,
): Promise<GrantKey> {
  switch (grant.type) {
    case jwtBearer:
      return { grant, maker: await makerOf(grant.assertion) }
    case tokenExchange: {
      const { subject, actor } = grant
      const [subjectMaker, actorMaker] = await Promise.all([
        subject.assertion && makerOf(subject.assertion),
        actor?.assertion && makerOf(actor.assertion),
      ])
      return { grant, ...(subjectMaker && { subjectMaker }), ...(actorMaker && { actorMaker }) }
    }
    default:
      return { grant }
  }
}
