import { isSignedForEachRequest } from './auth-token.ts'
import {
  claimsFromRequestOf,
  type Grant,
  namesUser,
  type ServedConnection,
  takesPassword,
  type Warming,
} from './connection.ts'
import { type ElementReference, type EndpointConnection, keyOf } from './element.ts'
import type { FindingList } from './finding.ts'
import { tokenExchange } from './grant-type.ts'
import type { TokenOrigin } from './token-origin.ts'

/** Tokens that Tokenwell signs itself. */
const signaturesAtATime = 10

const defaults = { idleMilliseconds: 86_400_000, idleLifetimes: 10, maximumVariants: 20 } as const

/** Undefined if warm runs must not or can't renew any token. Then attributes without effect get a warning. */
export function resolveWarming(
  { warm, warmIdle, warmVariants }: EndpointConnection,
  tokens: readonly TokenOrigin[],
  element: ElementReference,
  findings: FindingList,
): Warming | undefined {
  const reasons = tokens.map(({ grant }) => whyNotWarmed(grant))
  const warmed = tokens.filter((_token, position) => reasons[position] === undefined)
  const [first] = warmed
  if (first && warm !== false) {
    if (warmVariants !== undefined && warmVariants < warmed.length)
      findings.addWarning(
        element,
        'warmVariants',
        `It is ${warmVariants}, but the connection has ${warmed.length} tokens of its own. Each call of the API needs all of them. Set it to ${warmed.length} or more.`,
      )
    return {
      ...serverOf(warmed.find(isServed) ?? first),
      idleMilliseconds: warmIdle ?? defaults.idleMilliseconds,
      // A value from the operator also holds for tokens with a short lifetime.
      ...(warmIdle === undefined && { idleLifetimes: defaults.idleLifetimes }),
      maximumVariants: warmVariants ?? defaults.maximumVariants,
    }
  }

  const reason = first ? 'warm is false' : (reasons[0] ?? 'the connection has no token')
  // `warm: false` itself has an effect.
  const ignored = { warm: warm || undefined, warmIdle, warmVariants }
  for (const [attribute, value] of Object.entries(ignored))
    if (value !== undefined) findings.addWarning(element, attribute, `It has no effect: ${reason}. Take it out.`)
  return undefined
}

function isServed(token: TokenOrigin): token is TokenOrigin<ServedConnection> {
  return 'authorizationServer' in token
}

function serverOf(token: TokenOrigin): Pick<Warming, 'authorizationServer' | 'maximumConcurrency'> {
  if (!isServed(token))
    return { authorizationServer: keyOf(token.authentication), maximumConcurrency: signaturesAtATime }
  const { id, maximumConcurrency } = token.authorizationServer
  return { authorizationServer: id, maximumConcurrency }
}

/** Why a request for the token can't be repeated without its caller. Undefined if it can. */
export function whyNotWarmed(grant: Grant): string | undefined {
  if (grant.type === 'password')
    return "renewing a token of the password grant takes the user's password, which only the caller has"
  if (takesPassword(grant))
    return "renewing the token takes the user's password, which only the caller has (credentialsFrom)"
  if (grant.type === tokenExchange && !grant.subject.assertion)
    return 'renewing the token takes the subject_token, which only the caller has'
  if (grant.type === 'authTokenLocal' && isSignedForEachRequest(grant))
    return 'each request gets a token of its own, because the token has a jti (cacheTokensWithJti)'
  return namesUser(claimsFromRequestOf(grant))
    ? 'each token is for a user, and only the request names the user (claimsFromRequest)'
    : undefined
}
