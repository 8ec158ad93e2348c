import { isKmsLocation, kmsAliasPrefix, kmsLocationPrefix } from '../../lib/configuration/deployment.ts'

/** A name in `kmsKeys` that stands for every key with an alias of the stage. */
const everyKey = '*'
const nameForm = /^[A-Za-z0-9_-]+(\/[A-Za-z0-9_-]+)*$/
const mostAliasLength = 256
/** A role has room for about 60,000 characters of policies: its own policy, and ten managed ones of 6,000. */
const mostCharacters = 40_000
const kindPrefix = 'keyStore/'

/** The aliases of the KMS keys in a set of valid elements, by `<kind>/<id>`. */
export function kmsAliasesOf(elements: ReadonlyMap<string, unknown>): string[] {
  return [...elements].flatMap(([name, element]) => {
    const place: unknown = name.startsWith(kindPrefix) ? Reflect.get(Object(element), 'location') : undefined
    return typeof place === 'string' && isKmsLocation(place) ? [place.slice(kmsLocationPrefix.length)] : []
  })
}

/**
 * The aliases of the KMS keys that sign for a stage. For each alias there is a second one, `<alias>/previous`, for the key that signed before
 * the alias was moved: its right to sign would end with its alias.
 * @param names what follows `alias/tokenwell/<stage>/` in the aliases of further keys
 * @throws {Error} for a name that no alias has, and for more aliases than the policies of a role can hold
 */
export function signingAliases(stage: string, ofElements: readonly string[], names: readonly string[]): string[] {
  const prefix = kmsAliasPrefix({ stage })
  if (names.includes(everyKey)) return [`${prefix}${everyKey}`]
  for (const name of names) checkName(name, prefix)
  const all = [...new Set([...ofElements, ...names.map((name) => `${prefix}${name}`)])].toSorted()
  const withPrevious = all.flatMap((alias) => [alias, `${alias}/previous`])
  if (withPrevious.join().length > mostCharacters)
    throw new Error(
      `kmsKeys: the aliases of ${all.length} KMS keys are too long for the policies of a role. Set kmsKeys: ['*'], which allows all keys with an alias under ${prefix}.`,
    )
  return withPrevious
}

function checkName(name: string, prefix: string): void {
  if (nameForm.test(name) && prefix.length + name.length <= mostAliasLength) return
  throw new Error(
    `kmsKeys: ${JSON.stringify(name)} cannot follow ${prefix} in the name of an alias. Write letters, digits, _ and -, with / between parts, or '*' for all keys of the stage.`,
  )
}
