import * as v from 'valibot'
import { isJsonObject, type JsonObject } from '../base/decoding.ts'
import { flag, object, oneOf, text } from './attribute-schema.ts'
import { readLeaf } from './body-leaf.ts'
import { whyHeaderRefused } from './header-schema.ts'
import { nearestName } from './nearest-name.ts'
import { isHeaderName } from './value-syntax.ts'

/* The attributes of `authToken` and `authTokenLocal`. */

const headerMessage = 'the name of an HTTP header that a request may set'
/** In lower case once it is read. */
const headerName = v.pipe(
  text(headerMessage),
  v.check((name) => isHeaderName(name) && whyHeaderRefused(name) === undefined, headerMessage),
  v.transform((name) => name.toLowerCase()),
)

/** How API calls carry the token, and which tokens are kept. */
export const tokenUse = {
  header: v.exactOptional(v.pipe(headerName, v.description('The header of API calls that carries the token.'))),
  useBearerScheme: v.exactOptional(v.pipe(flag, v.description('Whether the value begins with Bearer.'))),
  cacheTokensWithJti: v.exactOptional(
    v.pipe(flag, v.description('Whether a JWT with a jti answers more than one request.')),
  ),
  tokenRetryCheckLevel: v.exactOptional(oneOf([1, 2, 3])),
}

export const tokenRequest = nested('an object that describes the request for the token', {
  requestMethod: v.exactOptional(v.picklist(['GET', 'PUT', 'POST'], 'GET, PUT or POST')),
  credentialLocation: v.exactOptional(v.picklist(['header', 'body'], 'header or body')),
  header: v.exactOptional(headerName),
  userHeader: v.exactOptional(headerName),
  passwordHeader: v.exactOptional(headerName),
  requestBody: v.exactOptional(
    object<JsonObject>('an object of the members of the body', (value) => complaintsOfBody(value)),
  ),
  bodyFormat: v.exactOptional(v.picklist(['JSON', 'form'], 'JSON or form')),
})

const memberPathMessage = 'names of JSON members that are separated by dots, such as token or data.accessToken'
const memberPath = v.pipe(
  text(memberPathMessage),
  // z/OS Connect has JSONPath. Of it, this form means the same.
  v.transform((path) => path.replace(/^\$\./, '')),
  v.check((path) => path.split('.').every((name) => /^[\w:@-]{1,128}$/.test(name)), memberPathMessage),
  v.transform((path): readonly string[] => path.split('.')),
)

export const tokenResponse = nested('an object that describes where the answer has the token', {
  tokenLocation: v.exactOptional(v.picklist(['header', 'body'], 'header or body')),
  responseFormat: v.exactOptional(v.picklist(['Text', 'JSON'], 'Text or JSON')),
  tokenPath: v.exactOptional(memberPath),
  header: v.exactOptional(headerName),
  expiresPath: v.exactOptional(memberPath),
  expiresHeader: v.exactOptional(headerName),
})

function complaintsOfBody(value: unknown): readonly string[] {
  if (readLeaf(value) !== undefined || !(isJsonObject(value) || Array.isArray(value))) return []
  if (isJsonObject(value)) {
    const [name = '', ...others] = Object.keys(value)
    if (others.length === 0 && name === 'secret') return ['The value of a member secret must be the name of a secret.']
  }
  return Object.values(value).flatMap(complaintsOfBody)
}

/** An object whose members have schemas of their own. Each finding names the member. */
function nested<Entries extends v.ObjectEntries>(message: string, entries: Entries) {
  const members = Object.entries(entries)
  return v.pipe(
    object<JsonObject>(message, (value) => [
      ...Object.keys(value).flatMap((name) => (Object.hasOwn(entries, name) ? [] : [unknownMember(name, members)])),
      ...members.flatMap(([name, schema]) => {
        const result = Object.hasOwn(value, name) ? v.safeParse(schema, value[name]) : undefined
        return (result?.issues ?? []).map((issue) => sentenceOf(name, issue))
      }),
    ]),
    v.transform((value) => v.parse(v.strictObject(entries), value)),
  )
}

function sentenceOf(name: string, { type, message }: v.BaseIssue<unknown>): string {
  return type === 'raw_check' ? `The member ${name}: ${message}` : `The member ${name} must be ${message}.`
}

function unknownMember(name: string, members: readonly (readonly [string, unknown])[]): string {
  const known = members.map(([each]) => each)
  const nearest = nearestName(name, known)
  const hint = nearest === undefined ? `The members are ${known.join(', ')}.` : `Did you mean ${nearest}?`
  return `There is no such member as ${/^[\w.-]{1,64}$/.test(name) ? name : 'one of those'}. ${hint}`
}
