import type { AssertionConfiguration } from '../../configuration/assertion-configuration.ts'
import type { AuthTokenGrant } from '../../configuration/auth-token.ts'
import type { JwtBearerGrant, PlainGrant, ServedGrant, TokenExchangeGrant } from '../../configuration/connection.ts'
import { jwtBearer, tokenExchange } from '../../configuration/grant-type.ts'
import type { Signer } from '../../signing/signer.ts'

/** A grant, with the signer of each JWT that Tokenwell makes for it. */
export type GrantKey = JwtBearerKey | TokenExchangeKey | { readonly grant: PlainGrant | AuthTokenGrant }

export interface JwtBearerKey {
  readonly grant: JwtBearerGrant
  readonly signer: Signer
}

export interface TokenExchangeKey {
  readonly grant: TokenExchangeGrant
  /** Absent for a token that Tokenwell does not sign. */
  readonly subjectSigner?: Signer
  readonly actorSigner?: Signer
}

/** @param signerOf finds the signer of one JWT */
export async function grantKeyOf(
  grant: ServedGrant,
  signerOf: (assertion: AssertionConfiguration) => Promise<Signer>,
): Promise<GrantKey> {
  switch (grant.type) {
    case jwtBearer:
      return { grant, signer: await signerOf(grant.assertion) }
    case tokenExchange: {
      const { subject, actor } = grant
      const [subjectSigner, actorSigner] = await Promise.all([
        subject.assertion && signerOf(subject.assertion),
        actor?.assertion && signerOf(actor.assertion),
      ])
      return { grant, ...(subjectSigner && { subjectSigner }), ...(actorSigner && { actorSigner }) }
    }
    default:
      return { grant }
  }
}
