import type { KeyReference } from '../configuration/connection.ts'

/** A key that an operator has revoked: no instance signs with it, and it is not published. */
export interface KeyRevocation {
  readonly jwtBuilder: string
  readonly kid: string
  /** The secret that holds the key. Other jwtBuilders that sign from there must not use it either. Absent where nobody could find out. */
  readonly location?: string
  /** Milliseconds since the epoch. */
  readonly revokedAt: number
}

/** Whose key it is, as far as that is known: of a jwtBuilder that was deleted only its name. */
export type KeyOwner = Pick<KeyReference, 'jwtBuilder' | 'revoked'> & { readonly location?: string }

/** Which keys of an owner must not be used any more, by an event or by its element. The same `kid` in another secret is another key. */
export function revokedKeysOf(
  { jwtBuilder, location, revoked = [] }: KeyOwner,
  revocations: readonly KeyRevocation[],
): ReadonlySet<string> {
  const isTheirs = (each: KeyRevocation) =>
    each.jwtBuilder === jwtBuilder || (location !== undefined && each.location === location)
  return new Set([...revoked, ...revocations.filter(isTheirs).map(({ kid }) => kid)])
}
