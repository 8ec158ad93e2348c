import type { Warming } from '../configuration/connection.ts'

/** The tokens of a connection that the warm runs renew. */
export interface KeptWarm {
  /** Absent where none of its tokens is kept warm. */
  readonly warming?: Warming
  /** The last used first. */
  readonly variants: readonly Variant[]
}

/** One token of a connection: one combination of caller parameters. */
export interface Variant {
  /** The `id` of its token's record. */
  readonly id: string
  /** Not exact: a use is only noted when the noted one is older than a quarter of the idle time. */
  readonly lastUsedAt: number
  /** A digest of the caller that used it last, or `own` for an own token of the connection. */
  readonly caller?: string
  /** The time from its last use to its last renewal, where that is shorter than the connection's idle time. */
  readonly idleMilliseconds?: number
}

/** Takes the place of a caller for the connection's own main token, which the operator wants to keep warm. */
export const own = 'own'

/** Takes the place of a caller for another own token of the connection. It can't equal a digest, which has no slash. */
export function ownFurther(authentication: string): string {
  return `${own}/${authentication}`
}

function isOwn(caller: string): boolean {
  return caller === own || caller.startsWith(ownFurther(''))
}

/** One use of a token by a caller. */
export interface Use {
  /** The `id` of its token's record. */
  readonly id: string
  /** A digest of the caller. `own` or `own/<element>` for an own token of the connection. */
  readonly caller: string
  /** The lifetime of the token from its issue. */
  readonly lifetimeMilliseconds: number
}

/** The share of the idle time in which a noted use is not noted again. */
const usesNotedShare = 0.25
/**
 * The share of the idle time after which an unused token gives its place to another one. It is larger than the share above, since the
 * last use may not be noted yet.
 */
const placeKeptShare = 0.5

/**
 * Notes the use of a token. The state is unchanged where the use is noted already, or where there is no place for it. Tokens in use don't
 * replace each other, but a caller with many places gives one to a caller with fewer.
 */
export function withUse<State extends KeptWarm>(state: State, use: Use, now: number): State {
  const { warming, variants } = state
  if (!warming) return state
  const { id, caller, lifetimeMilliseconds } = use
  const idleMilliseconds = isOwn(caller) ? warming.idleMilliseconds : idleFor(warming, lifetimeMilliseconds)
  const used = { id, lastUsedAt: now, caller, ...(idleMilliseconds < warming.idleMilliseconds && { idleMilliseconds }) }
  const known = variants.find((each) => each.id === id)
  if (known && isUsedWithin(usesNotedShare, known, warming, now)) return state
  const others = variants.filter((each) => each.id !== id && endOf(each, warming) > now)
  const kept = withPlaceFor(caller, others.slice(0, warming.maximumVariants), warming, now)
  return kept ? { ...state, variants: [used, ...kept] } : state
}

/** A single use must not keep a short token warm for long: a token that lives one minute would be renewed 1,440 times a day. */
function idleFor({ idleMilliseconds, idleLifetimes = Infinity }: Warming, lifetimeMilliseconds: number): number {
  return Math.min(idleMilliseconds, Math.ceil(lifetimeMilliseconds * idleLifetimes))
}

function endOf({ lastUsedAt, idleMilliseconds = Infinity }: Variant, warming: Warming): number {
  return lastUsedAt + Math.min(idleMilliseconds, warming.idleMilliseconds)
}

function isUsedWithin(share: number, variant: Variant, warming: Warming, now: number): boolean {
  return now < variant.lastUsedAt + (endOf(variant, warming) - variant.lastUsedAt) * share
}

/** The variants that stay when one more is added, the last used first. Undefined where none gives up its place. */
function withPlaceFor(
  caller: string,
  others: readonly Variant[],
  warming: Warming,
  now: number,
): readonly Variant[] | undefined {
  if (others.length < warming.maximumVariants) return others
  const unused = others.findLastIndex((each) => !isUsedWithin(placeKeptShare, each, warming, now))
  if (unused >= 0) return others.toSpliced(unused, 1)
  const placesOf = (holder: string | undefined) => others.filter((each) => each.caller === holder).length
  const last = others.findLastIndex(({ caller: holder }) => placesOf(holder) > placesOf(caller) + 1)
  return last < 0 ? undefined : others.toSpliced(last, 1)
}

export function withoutUse<State extends KeptWarm>(state: State, id: string): State {
  return { ...state, variants: state.variants.filter((each) => each.id !== id) }
}

/** Until when a token is renewed without a request. Undefined where it isn't kept warm. */
export function warmUntil({ warming, variants }: KeptWarm, id: string): number | undefined {
  const variant = warming && variants.find((each) => each.id === id)
  return variant && endOf(variant, warming)
}

/** The variants that are renewed without a request. */
export function warmVariants(state: KeptWarm, now: number): readonly Variant[] {
  return state.variants.filter(({ id }) => (warmUntil(state, id) ?? now) > now)
}
