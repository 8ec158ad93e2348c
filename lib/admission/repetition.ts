import type { CallersToken } from '../access-token/callers-token.ts'
import type { TokenRequest } from '../access-token/token.ts'
import type { TokenConnection } from '../configuration/connection.ts'

/**
 * The request without the parameters that only repeat the elements. Both requests ask for the same token. Returns the same object where
 * the request repeats nothing.
 */
export function withoutRepetition<Request extends TokenRequest>(
  { parameters, grant, isFurther }: Pick<TokenConnection, 'parameters' | 'grant' | 'isFurther'>,
  request: Request,
): Request {
  const { authentication, scope, resource, audience, further, subjectToken, actorToken, ...rest } = request
  const types = 'subject' in grant ? { subject: grant.subject.type, actor: grant.actor?.type } : {}
  const added = {
    // The main token of a connection needs no name.
    ...(authentication !== undefined && isFurther && { authentication }),
    ...(scope && !isSameSet(scope, parameters.scope) && { scope }),
    ...(resource && !isSameSet(resource, parameters.resource) && { resource }),
    ...(audience !== undefined && audience !== parameters.audience && { audience }),
    ...(subjectToken && { subjectToken: withoutType(subjectToken, types.subject) }),
    ...(actorToken && { actorToken: withoutType(actorToken, types.actor) }),
    further: withoutRepeated(further, parameters.further),
  }
  const isSame = namesIn(added) === namesIn(request)
  return isSame ? request : ({ ...rest, ...added } as Request)
}

/** The element's type is sent, whether the caller names it or not. */
function withoutType({ token, type }: CallersToken, configured: string | undefined): CallersToken {
  return type === undefined || type === configured ? { token } : { token, type }
}

function withoutRepeated(
  asked: Readonly<Record<string, string>>,
  configured: Readonly<Record<string, string>>,
): Record<string, string> {
  const added = Object.entries(asked).filter(
    ([name, value]) => !Object.hasOwn(configured, name) || configured[name] !== value,
  )
  return Object.fromEntries(added)
}

type CallerParameters = Pick<
  TokenRequest,
  'authentication' | 'scope' | 'resource' | 'audience' | 'subjectToken' | 'actorToken' | 'further'
>

function namesIn({
  authentication,
  scope,
  resource,
  audience,
  subjectToken,
  actorToken,
  further,
}: CallerParameters): number {
  const given = [authentication, scope, resource, audience, subjectToken?.type, actorToken?.type].filter(
    (each) => each !== undefined,
  )
  return given.length + Object.keys(further).length
}

/** As in a token key, order and repetition don't matter. */
function isSameSet(a: readonly string[], b: readonly string[]): boolean {
  const [one, other] = [new Set(a), new Set(b)]
  return one.size === other.size && [...one].every((value) => other.has(value))
}
