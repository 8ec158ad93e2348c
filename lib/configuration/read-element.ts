import * as v from 'valibot'
import { isJsonObject } from '../base/decoding.ts'
import { droppedAttributes, droppedKinds } from './dropped-attributes.ts'
import { type ElementReference, type Elements, type Kind, kinds } from './element.ts'
import { elementSchemas } from './element-schema.ts'
import type { ElementReading } from './element-store.ts'
import { type Finding, nearestName } from './finding.ts'
import { isElementId } from './value-syntax.ts'

/**
 * Reads one element from outside through the schema, attribute by attribute, so that one mistake hides no other. The
 * findings do not depend on other elements.
 */
export function readElement<K extends Kind>(reference: ElementReference<K>, value: unknown): ElementReading<K> {
  if (!isJsonObject(value)) return unreadableElement(reference, `it must be a JSON object; it is ${nameType(value)}.`)

  const { id, ...written } = value
  const schemas = schemasOf(reference.kind)
  const findings: Finding[] = id === undefined || id === reference.id ? [] : [wrongId(reference)]
  const attributes: Record<string, unknown> = {}
  for (const [name, attribute] of Object.entries(written)) {
    const read = readAttribute(reference.kind, schemas, name, attribute)
    if (read.kind === 'right') attributes[name] = read.value
    else findings.push(...read.sentences.map((sentence) => mistake(reference, name, sentence)))
  }
  const required = [...schemas].flatMap(([name, { type }]) => (type === 'exact_optional' ? [] : [name]))
  for (const name of required)
    if (!Object.hasOwn(written, name)) findings.push(mistake(reference, name, "it is missing, and can't be left out."))

  const isWhole = required.every((name) => Object.hasOwn(attributes, name))
  const read = attributes as unknown as Elements[K]
  return { reference, attributes: read, ...(isWhole && { element: read }), findings }
}

/** The reading of a value that is no element at all. */
export function unreadableElement<K extends Kind>(reference: ElementReference<K>, sentence: string): ElementReading<K> {
  return { reference, attributes: {}, findings: [mistake(reference, undefined, sentence)] }
}

/** By the names of a kind's attributes. */
type Schemas = ReadonlyMap<string, v.GenericSchema>

function schemasOf(kind: Kind): Schemas {
  return new Map(Object.entries(elementSchemas[kind].entries))
}

type AttributeReading =
  | { readonly kind: 'right'; readonly value: unknown }
  /** With a sentence on each thing that is wrong. */
  | { readonly kind: 'wrong'; readonly sentences: readonly string[] }

function readAttribute(kind: Kind, schemas: Schemas, name: string, value: unknown): AttributeReading {
  const schema = schemas.get(name)
  if (!schema) return { kind: 'wrong', sentences: [whyNotHere(kind, [...schemas.keys()], name)] }

  const result = v.safeParse(schema, value, { abortPipeEarly: schema.type !== 'custom' })
  const secret = secretIn(value) ?? secretIn(result.output)
  if (secret) return { kind: 'wrong', sentences: [`it holds ${secret}. ${keepInStore}`] }
  const variable = variableIn(value)
  if (variable) return { kind: 'wrong', sentences: [variable] }
  if (result.success) return { kind: 'right', value: result.output }
  const options = optionsOf(schema)
  return { kind: 'wrong', sentences: result.issues.map((issue) => describeIssue(issue, options)) }
}

const keepInStore = 'A secret never stands in an element: keep it in the secret store and give its name here.'

/**
 * A variable of server.xml at any depth would be sent as it is written. `${Token[...]}` is a value that the CDK fills in.
 */
function variableIn(value: unknown): string | undefined {
  const [, name] = /\$\{(?!Token\[)([^{}"]*)\}/.exec(JSON.stringify(value) ?? '') ?? []
  if (name === undefined) return undefined
  // The name is shown where it is one: the value around it may be a secret in the wrong place.
  const shown = /^[\w.-]{1,64}$/.test(name) ? ` ${name}` : ''
  return `it holds the variable${shown} of server.xml, which has no value here: write the value itself.`
}

function whyNotHere(kind: Kind, known: readonly string[], name: string): string {
  const dropped = droppedAttributes[kind]
  if (dropped && Object.hasOwn(dropped, name)) return String(dropped[name])
  const nearest = nearestName(name, known)
  if (nearest) return `there is no such attribute. Did you mean ${nearest}?`
  if (soundsSecret(name)) return `there is no such attribute, and it looks like a secret. ${keepInStore}`
  return `there is no such attribute; ${kind} has ${known.join(', ')}.`
}

function describeIssue({ input, message }: v.BaseIssue<unknown>, options: readonly string[]): string {
  // The value itself is shown in no case: only an option that is near it.
  const nearest = typeof input === 'string' ? nearestName(input, options) : undefined
  return `it must be ${message}; it is ${nameType(input)}.${nearest ? ` Did you mean ${nearest}?` : ''}`
}

function optionsOf(schema: v.GenericSchema): readonly string[] {
  const { wrapped } = schema as { readonly wrapped?: { readonly options?: readonly unknown[] } }
  return wrapped?.options?.filter((option) => typeof option === 'string') ?? []
}

/** What a value is, not what it says: it may be a secret in the wrong place. */
function nameType(value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'a list'
  if (Number.isNaN(value)) return 'something else'
  if (typeof value === 'object') return 'an object'
  if (typeof value === 'string') return value.trim() === '' ? 'empty' : 'another text'
  return typeof value === 'number' ? 'another number' : `a ${typeof value}`
}

function wrongId(reference: ElementReference): Finding {
  return mistake(reference, 'id', `it must equal the element's name, ${JSON.stringify(reference.id)}; or leave it out.`)
}

function mistake(element: ElementReference, attribute: string | undefined, sentence: string): Finding {
  return { severity: 'mistake', element, ...(attribute && { attribute }), sentence }
}

/** What is wrong with the ids of a kind, in any store. */
export function checkIds(kind: Kind, ids: Iterable<string>): Finding[] {
  const sentences: string[] = []
  for (const id of ids) {
    if (!isElementId(id))
      sentences.push(`${kind}/${JSON.stringify(id)}: an id has letters, digits, _ . and -, at most 128.`)
    if (kind === 'sslDefault' && id !== 'default')
      sentences.push(`sslDefault/${id}: there is one for all, and its id must be default.`)
  }
  return sentences.map((sentence) => ({ severity: 'mistake', sentence }))
}

/** What to do about a name that is not the name of a kind. */
export function whyNoKind(name: string): string {
  const bare = name.replace(/^zosconnect_/, '')
  if (Object.hasOwn(droppedKinds, bare)) return `${name}: ${droppedKinds[bare]}`
  const nearest = nearestName(bare, kinds)
  return `${name}: there is no such kind. ${nearest ? `Did you mean ${nearest}?` : `There are ${kinds.join(', ')}.`}`
}

/** Attribute names under which people write secrets. */
const telltaleName = /pass(word|phrase)|secret|private_?key|api_?key|credential/i

const telltaleValues: readonly (readonly [RegExp, string])[] = [
  [/-----BEGIN [A-Z ]*PRIVATE KEY-----/, 'a private key in PEM'],
  [/^\{(xor|aes|aes-128|hash)\}/i, 'an encoded password'],
  [/^eyJ[\w-]+\.[\w-]+\.[\w-]+$/, 'a signed token'],
  [/"(d|k)"\s*:\s*"[\w-]{16,}"/, 'a private JWK'],
]

/** Whether people write a secret into an attribute of that name. */
export function soundsSecret(attribute: string): boolean {
  return telltaleName.test(attribute)
}

/** The kind of secret that this value holds at any depth; undefined if it seems to hold none. */
export function secretIn(value: unknown): string | undefined {
  if (typeof value === 'string') return telltaleValues.find(([pattern]) => pattern.test(value.trim()))?.[1]
  if (typeof value !== 'object' || value === null) return undefined
  if (isPrivateJwk(value)) return 'a private JWK'
  return Object.values(value)
    .map(secretIn)
    .find((found) => found !== undefined)
}

function isPrivateJwk(value: object): boolean {
  return 'kty' in value && ('d' in value || 'k' in value)
}
