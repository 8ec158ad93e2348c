import { isSharedKeyAlgorithm, signatureAlgorithms } from '../../lib/configuration/signature-algorithm.ts'
import { readDuration } from '../../lib/configuration/value-syntax.ts'

export interface RotatedBuilder {
  readonly jwtBuilder: string
  readonly rotationMilliseconds: number
}

const defaultRotation = '720h'
const kindPrefix = 'jwtBuilder/'

/**
 * The jwtBuilders among these elements, by `<kind>/<id>`, whose keys Tokenwell makes. They have been validated, but for what
 * contradicts itself in one that no connection uses.
 */
export function rotatedBuilders(elements: ReadonlyMap<string, unknown>): RotatedBuilder[] {
  return [...elements].flatMap(([name, element]) => {
    const builder = element as Readonly<Record<string, unknown>>
    const { jwkEnabled = false, jwkRotationTime = defaultRotation } = builder
    if (!name.startsWith(kindPrefix) || String(jwkEnabled) !== 'true' || hasSharedKey(builder)) return []
    const rotationMilliseconds = readDuration(String(jwkRotationTime), 'm') ?? 0
    return [{ jwtBuilder: name.slice(kindPrefix.length), rotationMilliseconds }]
  })
}

function hasSharedKey({ signatureAlgorithm }: Readonly<Record<string, unknown>>): boolean {
  const algorithm = signatureAlgorithms.find((each) => each === signatureAlgorithm)
  return algorithm !== undefined && isSharedKeyAlgorithm(algorithm)
}
