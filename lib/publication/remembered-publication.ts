import { CacheUnavailableError } from '../token-cache/cache-unavailable-error.ts'
import type { ReadPublication } from './publications.ts'
import type { Publication } from './published-keys.ts'

/** So long a process answers without asking, that there is nothing, too. */
const rememberedMilliseconds = 60_000
/** While the store can't be asked: as long as whoever is answered may keep the answer. Older ones lack keys that sign. */
const standInMilliseconds = 5 * 60_000
/** Anybody may ask for anything: what was asked for first is forgotten first. */
const mostRemembered = 1_000

interface Remembered {
  readonly publication: Publication | undefined
  readonly readAt: number
}

/** The same, which asks the store once a minute at most for each. */
export function withMemory(read: ReadPublication, now: () => number): ReadPublication {
  const known = new Map<string, Remembered>()

  function remember(jwtBuilder: string, publication: Publication | undefined, readAt: number): void {
    known.delete(jwtBuilder)
    known.set(jwtBuilder, { publication, readAt })
    const [first] = known.keys()
    if (known.size > mostRemembered && first !== undefined) known.delete(first)
  }

  return async (jwtBuilder, waitUntil) => {
    const remembered = known.get(jwtBuilder)
    const readAt = now()
    if (remembered && readAt < remembered.readAt + rememberedMilliseconds) return remembered.publication
    try {
      const publication = await read(jwtBuilder, waitUntil)
      remember(jwtBuilder, publication, readAt)
      return publication
    } catch (error) {
      if (!(error instanceof CacheUnavailableError) || !remembered?.publication) throw error
      if (now() >= remembered.readAt + standInMilliseconds) throw error
      return remembered.publication
    }
  }
}
