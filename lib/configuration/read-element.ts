import * as v from 'valibot'
import { isJsonObject } from '../base/decoding.ts'
import { droppedAttributes } from './dropped-attributes.ts'
import { type ElementReference, type Elements, type Kind, kinds } from './element.ts'
import { elementSchemas } from './element-schema.ts'
import type { ElementReading } from './element-store.ts'
import type { Finding } from './finding.ts'
import { nearestName } from './nearest-name.ts'
import { isElementId } from './value-syntax.ts'

/**
 * Reads one element through the schema, attribute by attribute, so that one mistake does not hide another. The findings do not
 * depend on other elements.
 */
export function readElement<K extends Kind>(reference: ElementReference<K>, value: unknown): ElementReading<K> {
  if (!isJsonObject(value))
    return unreadableElement(reference, `It must be a JSON object. The value is ${nameType(value)}.`)

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
    if (!Object.hasOwn(written, name)) findings.push(mistake(reference, name, 'It is required but missing. Add it.'))

  const isWhole = required.every((name) => Object.hasOwn(attributes, name))
  const read = attributes as unknown as Elements[K]
  return { reference, attributes: read, ...(isWhole && { element: read }), findings }
}

/** The reading of a value that can't be read as an element. */
export function unreadableElement<K extends Kind>(reference: ElementReference<K>, sentence: string): ElementReading<K> {
  return { reference, attributes: {}, findings: [mistake(reference, undefined, sentence)] }
}

/** The schemas of a kind's attributes, by name. */
type Schemas = ReadonlyMap<string, v.GenericSchema>

function schemasOf(kind: Kind): Schemas {
  return new Map(Object.entries(elementSchemas[kind].entries))
}

type AttributeReading =
  | { readonly kind: 'right'; readonly value: unknown }
  /** With one sentence for each mistake. */
  | { readonly kind: 'wrong'; readonly sentences: readonly string[] }

function readAttribute(kind: Kind, schemas: Schemas, name: string, value: unknown): AttributeReading {
  const schema = schemas.get(name)
  if (!schema) return { kind: 'wrong', sentences: [whyNotHere(kind, schemas, name)] }

  const result = v.safeParse(schema, value, { abortPipeEarly: schema.type !== 'custom' })
  const secret = secretIn(value) ?? secretIn(result.output)
  if (secret) return { kind: 'wrong', sentences: [`It holds ${secret}. ${keepInStore}`] }
  const ofMembers = complaintsOfMembers(schema, value)
  if (ofMembers.length > 0) return { kind: 'wrong', sentences: ofMembers }
  const variable = variableIn(value)
  if (variable) return { kind: 'wrong', sentences: [variable] }
  if (result.success) return { kind: 'right', value: result.output }
  const options = optionsOf(schema)
  return { kind: 'wrong', sentences: result.issues.map((issue) => describeIssue(issue, 'It', options)) }
}

/** A sentence for each mistake in an object whose members have schemas of their own. */
function complaintsOfMembers(schema: v.GenericSchema, value: unknown): readonly string[] {
  const members = membersOf(schema)
  if (!members) return []
  // To valibot, a list is an object.
  if (!isJsonObject(value)) return [`It must be an object. The value is ${nameType(value)}.`]
  return Object.entries(value).flatMap(([name, member]) => {
    const own = members.get(name)
    if (!own) return [whyNoMember(name, [...members.keys()])]
    const { issues = [] } = v.safeParse(own, member, { abortPipeEarly: true })
    return issues.map((issue) => describeIssue(issue, `The member ${name}`, optionsOf(own)))
  })
}

/** Undefined for a schema that has no such members. */
function membersOf(schema: v.GenericSchema): Schemas | undefined {
  const { wrapped } = schema as { readonly wrapped?: { readonly entries?: v.ObjectEntries } }
  return wrapped?.entries && new Map(Object.entries(wrapped.entries) as [string, v.GenericSchema][])
}

function whyNoMember(name: string, known: readonly string[]): string {
  // Only a name that can't hold a secret is shown.
  const shown = /^\w{1,32}$/.test(name) ? `no member ${name}` : 'no such member'
  const nearest = nearestName(name, known)
  return nearest === undefined
    ? `There is ${shown}. The members are ${known.join(', ')}.`
    : `There is ${shown}. Did you mean ${nearest}?`
}

const keepInStore = 'An element never holds a secret. Keep it in the secret store and write its name here.'

/**
 * Finds a server.xml variable at any depth: it would be sent unchanged. `${Token[...]}` is a value that the CDK fills in.
 */
function variableIn(value: unknown): string | undefined {
  const [, name] = /\$\{(?!Token\[)([^{}"]*)\}/.exec(JSON.stringify(value) ?? '') ?? []
  if (name === undefined) return undefined
  // Only a valid name is shown, as the value may be a secret in the wrong place.
  const shown = /^[\w.-]{1,64}$/.test(name) ? ` ${name}` : ''
  if (isJsonObject(value) && 'requestBody' in value)
    return `It holds the server.xml variable${shown}. Tokenwell does not replace variables. In requestBody, write { "user": true } in place of the user, and { "password": true } in place of the password. Elsewhere write the value itself.`
  return `It holds the server.xml variable${shown}. Tokenwell does not replace variables: write the value itself.`
}

function whyNotHere(kind: Kind, schemas: Schemas, name: string): string {
  const known = [...schemas.keys()]
  const dropped = droppedAttributes[kind]
  if (dropped && Object.hasOwn(dropped, name)) return String(dropped[name])
  const others = kinds.filter((other) => Object.hasOwn(elementSchemas[other].entries, name))
  const owner = [...schemas].find(([, schema]) => membersOf(schema)?.has(name))?.[0]
  if (owner) return `There is no such attribute. It is a member of ${owner}: write it there.`
  const nearest = nearestName(name, known)
  const hint = nearest ? ` Did you mean ${nearest}?` : ''
  if (others.length > 0) return `There is no such attribute. It is an attribute of ${others.join(' and of ')}.${hint}`
  if (nearest) return `There is no such attribute. Did you mean ${nearest}?`
  if (soundsSecret(name)) return `There is no such attribute, and its name suggests a secret. ${keepInStore}`
  const attributes = known.join(', ')
  return `There is no such attribute. The attributes of ${kind} are ${attributes}.`
}

function describeIssue(
  { type, input, message }: v.BaseIssue<unknown>,
  subject: string,
  options: readonly string[],
): string {
  if (type === complaintType) return subject === 'It' ? message : `${subject}: ${message}`
  // The value itself is never shown, as it may be a secret: only an option that is near it.
  const nearest = typeof input === 'string' ? nearestName(input, options) : undefined
  const hint = nearest ? ` Did you mean ${nearest}?` : ''
  return `${subject} must be ${message}. The value is ${nameType(input)}.${hint}`
}

/** The type of valibot's issues that come from `object`: their messages are whole sentences. */
const complaintType: v.RawCheckAction<unknown>['type'] = 'raw_check'

function optionsOf(schema: v.GenericSchema): readonly string[] {
  const { wrapped } = schema as { readonly wrapped?: { readonly options?: readonly unknown[] } }
  // One letter is near any other, so it is no hint.
  return wrapped?.options?.filter((option): option is string => typeof option === 'string' && option.length > 1) ?? []
}

/** Describes the type of a value, never the value itself, as it may be a secret in the wrong place. */
function nameType(value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'a list'
  if (Number.isNaN(value)) return 'something else'
  if (typeof value === 'object') return 'an object'
  if (typeof value === 'string') return value.trim() === '' ? 'empty' : 'another text'
  return typeof value === 'number' ? 'another number' : `a ${typeof value}`
}

function wrongId(reference: ElementReference): Finding {
  const name = JSON.stringify(reference.id)
  return mistake(reference, 'id', `It must be the name of the element, ${name}. Change it, or leave it out.`)
}

function mistake(element: ElementReference, attribute: string | undefined, sentence: string): Finding {
  return { severity: 'mistake', element, ...(attribute && { attribute }), sentence }
}

/** Mistakes in the ids of a kind, for every store. */
export function checkIds(kind: Kind, ids: Iterable<string>): Finding[] {
  const sentences: string[] = []
  for (const id of ids) {
    if (!isElementId(id))
      sentences.push(
        `${kind}/${JSON.stringify(id)}: An id has at most 128 characters: letters, digits, _ . and -, not dots alone.`,
      )
    if (kind === 'sslDefault' && id !== 'default')
      sentences.push(`sslDefault/${id}: There can be only one sslDefault element. Its id must be default.`)
  }
  return sentences.map((sentence) => ({ severity: 'mistake', sentence }))
}

/** The finding for a name that is not the name of a kind. */
export function whyNoKind(name: string): string {
  const bare = name.replace(/^zosconnect_/, '')
  const nearest = nearestName(bare, kinds)
  if (nearest) return `${name}: There is no such kind of element. Did you mean ${nearest}?`
  const known = kinds.join(', ')
  return `${name}: There is no such kind of element. The kinds are ${known}.`
}

/** Names of attributes that people use for secrets. */
const telltaleName = /pass(word|phrase)|secret|private_?key|api_?key|credential/i

const telltaleValues: readonly (readonly [RegExp, string])[] = [
  [/-----BEGIN [A-Z ]*PRIVATE KEY-----/, 'a private key in PEM'],
  [/^\{(xor|aes|aes-128|hash)\}/i, 'an encoded password'],
  [/^eyJ[\w-]+\.[\w-]+\.[\w-]+$/, 'a signed token'],
  [/"(d|k)"\s*:\s*"[\w-]{16,}"/, 'a private JWK'],
]

/** Whether people use an attribute of that name for a secret. */
export function soundsSecret(attribute: string): boolean {
  return telltaleName.test(attribute)
}

/** The kind of secret that this value holds at any depth. Undefined if it seems to hold no secret. */
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
