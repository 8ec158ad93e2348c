import type { Warming } from './connection.ts'
import type { ElementReference, EndpointConnection, GrantType } from './element.ts'
import type { Note } from './finding.ts'

const defaults = { idleMilliseconds: 86_400_000, maximumVariants: 20 } as const

/** Undefined where no token is to be kept warm, or none can be. What then has no effect is noted. */
export function resolveWarming(
  { warm, warmIdle, warmVariants }: EndpointConnection,
  grantType: GrantType,
  element: ElementReference,
  note: Note,
): Warming | undefined {
  const isPossible = grantType === 'client_credentials'
  if (isPossible && warm !== false)
    return {
      idleMilliseconds: warmIdle ?? defaults.idleMilliseconds,
      maximumVariants: warmVariants ?? defaults.maximumVariants,
    }

  const reason = isPossible
    ? 'with warm false no token is renewed before it is asked for'
    : "to renew a token of the password grant takes the user's password, and nobody but the caller has it"
  // Where warm is false nothing is asked for that isn't given.
  const ignored = { warm: warm || undefined, warmIdle, warmVariants }
  for (const [attribute, value] of Object.entries(ignored))
    if (value !== undefined) note('warning', element, attribute, `it is ignored: ${reason}.`)
  return undefined
}
