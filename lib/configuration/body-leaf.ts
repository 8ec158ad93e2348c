import { isJsonObject } from '../base/decoding.ts'

/* The leaves of a `requestBody` that stand for a value. */

/** What a leaf of a body stands for, if it is an object with this one member. */
const leafNames = ['secret', 'user', 'password', 'assertion'] as const

/** The name of the secret that a leaf stands for, or what else it stands for. Undefined for an object that is no leaf. */
export function readLeaf(value: unknown): { readonly secret: string } | 'user' | 'password' | 'assertion' | undefined {
  if (!isJsonObject(value)) return undefined
  const [name, ...others] = Object.keys(value)
  if (others.length > 0) return undefined
  if (name === 'secret' && typeof value['secret'] === 'string') return { secret: value['secret'] }
  const leaf = leafNames.find((each) => each === name && each !== 'secret')
  return leaf !== undefined && leaf !== 'secret' && value[leaf] === true ? leaf : undefined
}

/** The names of the secrets in a body. */
export function secretsInBody(value: unknown): readonly string[] {
  const leaf = readLeaf(value)
  if (typeof leaf === 'object') return [leaf.secret]
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(secretsInBody) : []
}
