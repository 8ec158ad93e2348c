import * as v from 'valibot'
import { droppedAttributes, laterAttributes } from '../configuration/attribute-not-here.ts'
import type { ElementReference, Elements, Kind } from '../configuration/element.ts'
import type { ElementReading } from '../configuration/element-store.ts'
import type { Finding } from '../configuration/finding.ts'
import { nearestName } from '../configuration/nearest-name.ts'
import { isSecretName, secretIn } from '../configuration/secret-in-element.ts'
import { elementSchemas } from './element-schema.ts'

/** Reads one element from outside through the schema. Its findings are all there is to say of it alone. */
export function readElement<K extends Kind>(reference: ElementReference<K>, value: unknown): ElementReading<K> {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return {
      reference,
      findings: [mistake(reference, undefined, `it must be a JSON object; it is ${nameType(value)}.`)],
    }

  const { id, ...attributes } = value as Record<string, unknown>
  const schema = elementSchemas[reference.kind]
  const known = Object.keys(schema.entries)
  const findings = [
    ...(id === undefined || id === reference.id ? [] : [wrongId(reference)]),
    ...Object.entries(attributes).flatMap(([name, attribute]) => checkAttribute(reference, known, name, attribute)),
  ]

  const result = v.safeParse(
    schema,
    Object.fromEntries(Object.entries(attributes).filter(([name]) => known.includes(name))),
    { abortPipeEarly: true },
  )
  if (!result.success) findings.push(...result.issues.map((issue) => describeIssue(reference, issue)))
  if (findings.length > 0) return { reference, findings }
  return { reference, element: result.output as Elements[K], findings }
}

function wrongId(reference: ElementReference): Finding {
  return mistake(reference, 'id', `it must equal the element's name, ${JSON.stringify(reference.id)}; or leave it out.`)
}

/** What the schema can't say: why an attribute isn't there, and that its value is nobody's to read. */
function checkAttribute(
  reference: ElementReference,
  known: readonly string[],
  name: string,
  value: unknown,
): Finding[] {
  const { kind } = reference
  if (known.includes(name)) {
    const secret = secretIn(value)
    return secret ? [mistake(reference, name, `it holds ${secret}. ${keepInStore}`)] : []
  }
  return [mistake(reference, name, whyNotHere(kind, known, name))]
}

const keepInStore = 'A secret never stands in an element: keep it in the secret store and give its name here.'

function whyNotHere(kind: Kind, known: readonly string[], name: string): string {
  const dropped = droppedAttributes[kind]
  if (dropped && Object.hasOwn(dropped, name)) return String(dropped[name])
  if (laterAttributes[kind]?.includes(name)) return 'not available yet; take it out until then.'
  const nearest = nearestName(name, known)
  if (nearest) return `there is no such attribute. Did you mean ${nearest}?`
  if (isSecretName(name)) return `there is no such attribute, and it looks like a secret. ${keepInStore}`
  return `there is no such attribute; ${kind} has ${known.join(', ')}.`
}

function describeIssue(reference: ElementReference, issue: v.BaseIssue<unknown>): Finding {
  const path = issue.path?.map(({ key }) => String(key)) ?? []
  const isMissing = issue.path?.at(-1)?.origin === 'key' && issue.type === 'strict_object'
  if (isMissing) return mistake(reference, path.join('.'), "it is missing, and can't be left out.")

  const nearest =
    issue.type === 'picklist' && typeof issue.input === 'string' ? nearestOption(issue.input, issue.message) : ''
  return mistake(reference, path.join('.'), `it must be ${issue.message}; it is ${nameType(issue.input)}.${nearest}`)
}

/** Options stand in the message; the input is shown only where one is near it. */
function nearestOption(input: string, message: string): string {
  const nearest = nearestName(input, message.match(/[\w#.-]+/g) ?? [])
  return nearest ? ` Did you mean ${nearest}?` : ''
}

/** What a value is, not what it says: it may be a secret in the wrong place. */
function nameType(value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'a list'
  if (value === undefined) return 'nothing'
  if (Number.isNaN(value)) return 'something else'
  if (typeof value === 'object') return 'an object'
  if (typeof value === 'string') return value.trim() === '' ? 'empty' : 'another text'
  return typeof value === 'number' ? 'another number' : `a ${typeof value}`
}

function mistake(element: ElementReference, attribute: string | undefined, sentence: string): Finding {
  return { severity: 'mistake', element, ...(attribute && { attribute }), sentence }
}
