import * as v from 'valibot'
import { isJsonObject } from '../base/decoding.ts'
import { object } from './attribute-schema.ts'
import { headerNameMessage, whyHeaderRefused } from './refused-header.ts'
import { isHeaderName, isHeaderValue } from './value-syntax.ts'

/** The value of a header, or the name of the secret that holds it. */
export type HeaderValue = string | { readonly secret: string }

function complainOf(name: string, value: unknown): readonly string[] {
  if (!isHeaderName(name)) return [headerNameMessage]
  const refused = whyHeaderRefused(name)
  if (refused !== undefined) return [`Take out the header ${name}: ${refused}.`]
  if (isSecretReference(value)) return []
  // An encoded user and password look like any other text.
  if (name.toLowerCase() === 'authorization')
    return ['The value of Authorization is a secret. Write { "secret": "<its name>" }.']
  return typeof value === 'string' && isHeaderValue(value)
    ? []
    : [`The value of ${name} must be printable ASCII without blanks at its ends, or { "secret": "<its name>" }.`]
}

function isSecretReference(value: unknown): boolean {
  return isJsonObject(value) && Object.keys(value).join() === 'secret' && typeof value['secret'] === 'string'
}

const headersMessage = 'an object that gives each header a text or the name of a secret'

/** The names are in lower case once they are read. */
export const headers = v.pipe(
  object<Readonly<Record<string, HeaderValue>>>(headersMessage, (value) => [
    ...Object.entries(value).flatMap(([name, header]) => complainOf(name, header)),
    ...[...Map.groupBy(Object.keys(value), (name) => name.toLowerCase()).values()]
      .filter(({ length }) => length > 1)
      .map((same) => `Keep only one of the headers ${same.join(' and ')}: case does not count.`),
  ]),
  v.transform((value) =>
    Object.fromEntries(Object.entries(value).map(([name, header]) => [name.toLowerCase(), header])),
  ),
  v.description('Further headers of each token request. The value is a text, or { "secret": "<name of a secret>" }.'),
)
