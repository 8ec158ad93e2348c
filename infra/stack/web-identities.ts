import { type Kind, referenceAttributes } from '../../lib/configuration/element.ts'

/** What AWS signs identity tokens for: an `awsWebIdentity` element that this construct does not deploy. */
export interface WebIdentity {
  /** The `audience` of the element. */
  readonly audience: string | readonly string[]
  /** @default ES384 */
  readonly signingAlgorithm?: 'ES384' | 'RS256'
  /** @default 300 */
  readonly durationSeconds?: number
  /**
   * The names of the element's `tags`.
   * @default - none but those that Tokenwell adds
   */
  readonly tagNames?: readonly string[]
  /**
   * The connections of an element with the role `connection`. Each gets a role of its own.
   * @default - the role of the stage
   */
  readonly connections?: readonly string[]
}

type Elements = ReadonlyMap<string, unknown>
type Attributes = Readonly<Record<string, unknown>>

const kindPrefix = 'awsWebIdentity/'

/** The identities of a set of valid elements, by `<kind>/<id>`. */
export function webIdentitiesOf(elements: Elements): WebIdentity[] {
  return [...elements].flatMap(([name, element]) => {
    if (!name.startsWith(kindPrefix)) return []
    const { audience, signingAlgorithm, durationSeconds, tags, role } = element as Omit<WebIdentity, 'tagNames'> & {
      readonly tags?: object
      readonly role?: string
    }
    return {
      audience,
      ...(signingAlgorithm && { signingAlgorithm }),
      ...(durationSeconds !== undefined && { durationSeconds: Number(durationSeconds) }),
      ...(tags && { tagNames: Object.keys(tags) }),
      ...(role === 'connection' && { connections: connectionsWith(name, elements) }),
    }
  })
}

/** The connections that refer to an element, over any number of references. */
function connectionsWith(element: string, elements: Elements): string[] {
  const prefix = 'endpointConnection/'
  const connections = [...elements.keys()].filter((name) => name.startsWith(prefix))
  return connections.filter((name) => reachable(name, elements).has(element)).map((name) => name.slice(prefix.length))
}

function reachable(root: string, elements: Elements): ReadonlySet<string> {
  const found = new Set([root])
  // A set also visits what is added during the visit.
  for (const name of found) for (const next of referencesOf(name, elements)) if (elements.has(next)) found.add(next)
  return found
}

function referencesOf(name: string, elements: Elements): string[] {
  const [kind = ''] = name.split('/')
  const attributes = elements.get(name) as Attributes
  const references: readonly (readonly [string, Kind | readonly Kind[]])[] = Object.entries(
    referenceAttributes[kind as Kind],
  )
  return references.flatMap(([attribute, kinds]) => {
    const ids = [attributes[attribute] ?? []].flat()
    return ids.flatMap((id) => [kinds].flat().map((each) => `${each}/${id}`))
  })
}
