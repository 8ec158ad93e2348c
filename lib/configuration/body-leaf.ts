import { isJsonObject, type JsonObject } from '../base/decoding.ts'

/* The leaves of a `requestBody` that stand for a value. */

/** What a leaf stands for, beside a secret. */
export type CredentialLeaf = 'user' | 'password' | 'assertion'
const credentialLeaves: readonly CredentialLeaf[] = ['user', 'password', 'assertion']

/** What a leaf stands for: the secret or the parameter of a request with that name, or a credential. */
export type BodyLeaf = { readonly secret: string } | { readonly parameter: string } | CredentialLeaf

/** Undefined for any other value. */
export function readLeaf(value: unknown): BodyLeaf | undefined {
  if (!isJsonObject(value)) return undefined
  const [name, ...others] = Object.keys(value)
  if (others.length > 0) return undefined
  if (name === 'secret' && typeof value['secret'] === 'string') return { secret: value['secret'] }
  if (name === 'parameter' && typeof value['parameter'] === 'string') return { parameter: value['parameter'] }
  const leaf = credentialLeaves.find((each) => each === name)
  return leaf !== undefined && value[leaf] === true ? leaf : undefined
}

/** All leaves of a body. */
export function leavesOfBody(value: unknown): readonly BodyLeaf[] {
  const leaf = readLeaf(value)
  if (leaf) return [leaf]
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(leavesOfBody) : []
}

/** The names of the secrets in a body. */
export function secretsInBody(value: unknown): readonly string[] {
  return leavesOfBody(value).flatMap((leaf) => (isSecretLeaf(leaf) ? [leaf.secret] : []))
}

export function isSecretLeaf(leaf: BodyLeaf): leaf is { readonly secret: string } {
  return typeof leaf === 'object' && 'secret' in leaf
}

/** The names of the parameters in a body. */
export function parametersInBody(value: unknown): readonly string[] {
  return leavesOfBody(value).flatMap((leaf) =>
    typeof leaf === 'object' && 'parameter' in leaf ? [leaf.parameter] : [],
  )
}

/** A sentence for each object that is nearly a leaf. */
export function complaintsOfBody(body: JsonObject): readonly string[] {
  const leaf = readLeaf(body)
  if (leaf) return ['The body itself must have a member. Write { "<member>": ... } around what is there.']
  return Object.values(body).flatMap(complaintsOfValue)
}

function complaintsOfValue(value: unknown): readonly string[] {
  if (readLeaf(value) !== undefined) return []
  if (Array.isArray(value)) return value.flatMap(complaintsOfValue)
  if (!isJsonObject(value)) return []
  const [name = '', ...others] = Object.keys(value)
  if (others.length === 0 && name === 'secret')
    return ['The value of secret must be the name of a secret, as in { "secret": "<its name>" }.']
  if (others.length === 0 && name === 'parameter')
    return ['The value of parameter must be a name in requestMay, as in { "parameter": "<its name>" }.']
  const leaf = others.length === 0 ? credentialLeaves.find((each) => each === name) : undefined
  if (leaf !== undefined && (value[leaf] === 'true' || value[leaf] === false || value[leaf] === null))
    return [`The value of ${leaf} must be true, as in { "${leaf}": true }.`]
  return Object.values(value).flatMap(complaintsOfValue)
}
