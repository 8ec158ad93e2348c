import { type KeyReference, locationOf } from '../configuration/assertion-configuration.ts'

/** A key that the operator has revoked: no instance signs with it, and it is not published. */
export interface KeyRevocation {
  readonly jwtBuilder: string
  readonly kid: string
  /** The secret that holds the key. Other jwtBuilders with this secret must not use the key either. Absent if it is unknown. */
  readonly location?: string
  /** Milliseconds since the epoch. */
  readonly revokedAt: number
}

/** The jwtBuilder of a key. For a deleted jwtBuilder only its name is known. */
export type KeyOwner = Pick<KeyReference, 'jwtBuilder' | 'revoked'> & { readonly location?: string }

export function ownerOf(key: KeyReference): KeyOwner {
  return { ...key, location: locationOf(key) }
}

/** The keys of an owner that an event or its element has revoked. The same `kid` in another secret is another key. */
export function revokedKeysOf(
  { jwtBuilder, location, revoked = [] }: KeyOwner,
  revocations: readonly KeyRevocation[],
): ReadonlySet<string> {
  const isTheirs = (each: KeyRevocation) =>
    each.jwtBuilder === jwtBuilder || (location !== undefined && each.location === location)
  return new Set([...revoked, ...revocations.filter(isTheirs).map(({ kid }) => kid)])
}

/** All of them, each once. Earlier revocations still hold: an attacker may have removed them from the list. */
export function addRevocations(
  earlier: readonly KeyRevocation[],
  latest: readonly KeyRevocation[],
): readonly KeyRevocation[] {
  return [...new Map([...earlier, ...latest].map((each) => [JSON.stringify(each), each])).values()]
}
