import { readDuration } from '../../lib/configuration/duration.ts'

export interface RotatedBuilder {
  readonly jwtBuilder: string
  readonly rotationMilliseconds: number
}

const defaultRotation = '720h'
const kindPrefix = 'jwtBuilder/'

/** The jwtBuilders among these elements, by `<kind>/<id>`, whose keys Tokenwell makes. They have been validated. */
export function rotatedBuilders(elements: ReadonlyMap<string, unknown>): RotatedBuilder[] {
  return [...elements].flatMap(([name, element]) => {
    const { jwkEnabled = false, jwkRotationTime = defaultRotation } = element as Readonly<Record<string, unknown>>
    if (!name.startsWith(kindPrefix) || String(jwkEnabled) !== 'true') return []
    const rotationMilliseconds = readDuration(String(jwkRotationTime), 'm') ?? 0
    return [{ jwtBuilder: name.slice(kindPrefix.length), rotationMilliseconds }]
  })
}
