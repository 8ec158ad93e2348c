import type { TokenRequest } from '../access-token/token.ts'
import type { Connection } from '../configuration/connection.ts'

/**
 * The request without the parameters that only repeat the elements. Both requests ask for the same token. Returns the same object where
 * the request repeats nothing.
 */
export function withoutRepetition<Request extends TokenRequest>(
  { parameters }: Pick<Connection, 'parameters'>,
  request: Request,
): Request {
  const { scope, resource, audience, further, ...rest } = request
  const added = {
    ...(scope && !isSameSet(scope, parameters.scope) && { scope }),
    ...(resource && !isSameSet(resource, parameters.resource) && { resource }),
    ...(audience !== undefined && audience !== parameters.audience && { audience }),
    further: withoutRepeated(further, parameters.further),
  }
  const isSame = Object.keys(added).length + Object.keys(added.further).length === namesIn(request)
  return isSame ? request : ({ ...rest, ...added } as Request)
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

function namesIn({ scope, resource, audience, further }: TokenRequest): number {
  const given = [scope, resource, audience, further].filter((each) => each !== undefined)
  return given.length + Object.keys(further).length
}

/** As in a token key, order and repetition don't matter. */
function isSameSet(a: readonly string[], b: readonly string[]): boolean {
  const [one, other] = [new Set(a), new Set(b)]
  return one.size === other.size && [...one].every((value) => other.has(value))
}
