const windowMilliseconds = 60_000
const severalRefusals = 3
/** The least recently refused are forgotten first. */
const maximumUsers = 10_000

/**
 * Counts refused passwords: each has a token key of its own, so that without this a guesser would meet no cool-down.
 * @returns whether, with this one, the user was refused several times within a minute
 */
export function createRefusedUsers(now: () => number): (user: string) => boolean {
  const refusals = new Map<string, readonly number[]>()
  return (user) => {
    const recent = [...(refusals.get(user) ?? []).filter((at) => now() - at < windowMilliseconds), now()]
    refusals.delete(user)
    refusals.set(user, recent.slice(-severalRefusals))
    const [oldest] = refusals.keys()
    if (refusals.size > maximumUsers && oldest !== undefined) refusals.delete(oldest)
    return recent.length >= severalRefusals
  }
}
