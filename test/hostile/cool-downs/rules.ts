import { Secret } from '../../../lib/secret/secret.ts'
import {
  atTheEndpoint,
  culprit,
  ofTheClient,
  onTheWay,
  otherEndpoint,
  otherWay,
  sameClient,
  sameWay,
  userCulprit,
} from './connections.ts'
import type { Evidence, Failure } from './failures.ts'
import type { Ask, Seen, Weather } from './fleet.ts'

/** What the failing request adds to the elements. */
export const requestKinds = ['own', 'scope', 'resource', 'audience', 'parameter', 'user'] as const
/** `confirmed`: a request with a caller's scope fails, and the connection's own request fails in the same way. */
export type RequestKind = (typeof requestKinds)[number] | 'confirmed'

/** The requests that wait, from the narrowest range to the widest. Each range includes those before it. */
export type Breadth = 'token' | 'variants' | 'connection' | 'client' | 'way' | 'endpoint'

/**
 * The requests that wait after each failure: of an own request (`own`), of a request with caller parameters or a user
 * (`parts`), and of such a request whose control request also fails (`confirmed`).
 */
const rules: Readonly<
  Record<Evidence, { readonly own: Breadth; readonly parts: Breadth; readonly confirmed: Breadth }>
> = {
  way: { own: 'way', parts: 'way', confirmed: 'way' },
  'hang-up': { own: 'way', parts: 'token', confirmed: 'way' },
  endpoint: { own: 'endpoint', parts: 'token', confirmed: 'endpoint' },
  limit: { own: 'client', parts: 'variants', confirmed: 'variants' },
  client: { own: 'client', parts: 'client', confirmed: 'client' },
  challenge: { own: 'client', parts: 'token', confirmed: 'client' },
  connection: { own: 'connection', parts: 'token', confirmed: 'connection' },
  request: { own: 'token', parts: 'token', confirmed: 'token' },
}

export function breadthByRule({ evidence }: Failure, kind: RequestKind): Breadth {
  const rule = rules[evidence]
  if (kind === 'own' || kind === 'confirmed') return rule[kind]
  return rule.parts
}

/** A control request is useful only if caller parameters may be the cause. */
export function canBeConfirmed({ evidence }: Failure): boolean {
  return rules[evidence].parts !== rules[evidence].confirmed
}

const further = {}
const marker = 'failing'
const user = (name: string) => ({ username: name, password: new Secret(`password of ${name}`) })
const parts: Readonly<Record<RequestKind, Partial<Ask>>> = {
  own: {},
  scope: { scope: [marker] },
  confirmed: { scope: [marker] },
  resource: { resource: [`https://${marker}.example.com`] },
  audience: { audience: marker },
  parameter: { further: { tenant: marker } },
  user: user(marker),
}

export function failingRequest(kind: RequestKind, caller = 'caller-1'): Ask {
  const { name: connection } = kind === 'user' ? userCulprit : culprit
  return { caller, connection, further, ...parts[kind] }
}

/** The requests next to the failing one, by how much they share with it. */
export const bystanderNames = [
  'own requests',
  'variants of that caller',
  'variants of others',
  'same client',
  'same way',
  'other way',
  'other endpoint',
] as const
export type Bystander = (typeof bystanderNames)[number]

/** All requests next to the failing one. An even number in a caller's name selects the other instance. */
export function bystandersOf(kind: RequestKind): ReadonlyMap<Bystander, Ask> {
  const { connection } = failingRequest(kind)
  const own = (name: string): Ask => ({ caller: 'bystander-2', connection: name, further })
  const variant = (caller: string, name: string): Ask => {
    const part = kind === 'user' ? user(name) : { scope: [name] }
    return { caller, connection, further, ...part }
  }
  const all: readonly (readonly [Bystander, Ask])[] = [
    ['own requests', own(culprit.name)],
    ['variants of that caller', variant('caller-1', 'another')],
    ['variants of others', variant('bystander-2', 'yet-another')],
    ['same client', own(sameClient.name)],
    ['same way', own(sameWay.name)],
    ['other way', own(otherWay.name)],
    ['other endpoint', own(otherEndpoint.name)],
  ]
  // For an own request these are the failing ones. Connections for users have no own requests.
  return new Map(all.filter(([name]) => name !== 'own requests' || (kind !== 'own' && kind !== 'user')))
}

const waiting: Readonly<Record<Breadth, readonly Bystander[]>> = {
  token: [],
  variants: ['variants of that caller'],
  connection: bystanderNames.slice(0, 3),
  client: bystanderNames.slice(0, 4),
  way: bystanderNames.slice(0, 5),
  endpoint: bystanderNames.slice(0, 6),
}

export function waitingAt(breadth: Breadth, kind: RequestKind): readonly Bystander[] {
  const all = bystandersOf(kind)
  return waiting[breadth].filter((name) => all.has(name))
}

const isMarked = ({ form }: Seen) => [...form.values()].some((value) => value.includes(marker))
const isOwn = ({ connection, form }: Seen) =>
  connection === culprit.name && !['scope', 'resource', 'audience', 'tenant'].some((name) => form.has(name))

/** Only the failing request fails. So a cool-down must be the reason for every other refusal. */
export function narrowest(failure: Failure, kind: RequestKind): Weather {
  const isCause = (seen: Seen) => {
    if (kind === 'own') return isOwn(seen)
    return isMarked(seen) || (kind === 'confirmed' && isOwn(seen))
  }
  return (seen) => (isCause(seen) ? failure.farEnd : undefined)
}

/** Everything that depends on the cause fails, as in production. */
export function natural(failure: Failure, kind: RequestKind): Weather {
  const names = naturallyFailing(breadthByRule(failure, kind), kind)
  return (seen) => {
    if (names) return names.includes(seen.connection) ? failure.farEnd : undefined
    return (kind === 'own' ? isOwn(seen) : isMarked(seen)) ? failure.farEnd : undefined
  }
}

/** The connections that fail as a whole. Undefined if only one request fails. */
export function naturallyFailing(breadth: Breadth, kind: RequestKind): readonly string[] | undefined {
  switch (breadth) {
    case 'way':
      return onTheWay
    case 'endpoint':
      return atTheEndpoint
    case 'client':
      return ofTheClient
    case 'connection':
      return [failingRequest(kind).connection]
    case 'variants':
    case 'token':
      return undefined
  }
}
