import * as v from 'valibot'
import { isJsonObject, type JsonObject } from '../base/decoding.ts'
import { flag, object, oneOf, text } from './attribute-schema.ts'
import { complaintsOfBody } from './body-leaf.ts'
import { headerNameMessage, whyHeaderRefused, whyNoCredential } from './refused-header.ts'
import { isHeaderName } from './value-syntax.ts'

/* The attributes of `authToken` and `authTokenLocal`. */

/** In lower case once it is read. The complaint is a whole sentence. */
const header = (description: string, complain: (name: string) => string | undefined) =>
  v.pipe(
    text('the name of an HTTP header'),
    v.description(description),
    v.rawCheck(({ dataset, addIssue }) => {
      if (!dataset.typed) return
      const message = isHeaderName(dataset.value) ? complain(dataset.value) : headerNameMessage
      if (message !== undefined) addIssue({ message })
    }),
    v.transform((name) => name.toLowerCase()),
  )

const requestHeader = (description: string) =>
  header(description, (name) => {
    const why = whyHeaderRefused(name)
    return why && `The header ${name} can't carry credentials: ${why}. Name another header.`
  })

const answerHeader = (description: string) =>
  header(
    description,
    (name) => whyHeaderRefused(name) && `The header ${name} of an answer is for something else. Name another header.`,
  )

const carrier = header('The header of API calls that carries the token.', (name) => {
  const why = whyNoCredential(name)
  return why && `The header ${name} can't carry a token: ${why}. Name another header.`
})

/** How API calls carry the token, and which tokens are kept. */
export const tokenUse = {
  header: v.exactOptional(carrier),
  useBearerScheme: v.exactOptional(v.pipe(flag, v.description('Whether the value begins with Bearer.'))),
  cacheTokensWithJti: v.exactOptional(
    v.pipe(flag, v.description('Whether a JWT with a jti answers more than one request.')),
  ),
  tokenRetryCheckLevel: v.exactOptional(oneOf([1, 2, 3])),
}

const bodyMessage = 'an object of the members of the body'
const templateMessage = `${bodyMessage}. Text templates are not read: where a template has the user, write { "user": true }, and { "password": true } where it has the password`

const requestBody = v.pipe(
  v.custom<JsonObject>(isJsonObject, ({ input }) => (typeof input === 'string' ? templateMessage : bodyMessage)),
  v.rawCheck(({ dataset, addIssue }) => {
    if (dataset.typed) for (const message of complaintsOfBody(dataset.value)) addIssue({ message })
  }),
  v.description(
    'The members of the body. Leaves such as { "password": true } and { "secret": "<name>" } stand for values.',
  ),
)

const parameterHeadersMessage = 'an object that gives each header the name of a parameter'
/** The names of the headers are in lower case once it is read. */
const parameterHeaders = v.pipe(
  object<Readonly<Record<string, string>>>(parameterHeadersMessage, (value) => [
    ...Object.entries(value).flatMap(([name, parameter]) => {
      if (!isHeaderName(name)) return [headerNameMessage]
      const why = whyHeaderRefused(name)
      if (why !== undefined) return [`Take out the header ${name}: ${why}.`]
      return typeof parameter === 'string'
        ? []
        : [`The value of ${name} must be the name of a parameter in requestMay.`]
    }),
    ...[...Map.groupBy(Object.keys(value), (name) => name.toLowerCase()).values()]
      .filter(({ length }) => length > 1)
      .map((same) => `Keep only one of the headers ${same.join(' and ')}: case does not count.`),
  ]),
  v.transform((value) =>
    Object.fromEntries(Object.entries(value).map(([name, parameter]) => [name.toLowerCase(), parameter])),
  ),
  v.description('Headers of the request, each with the parameter that a caller may set it to.'),
)

export const tokenRequest = v.pipe(
  v.strictObject({
    requestMethod: v.exactOptional(v.picklist(['GET', 'PUT', 'POST'], 'GET, PUT or POST')),
    credentialLocation: v.exactOptional(v.picklist(['header', 'body'], 'header or body')),
    credentialsFrom: v.exactOptional(v.picklist(['elements', 'caller'], 'elements or caller')),
    header: v.exactOptional(requestHeader('The header that has the credentials.')),
    userHeader: v.exactOptional(requestHeader('The header that has the user alone.')),
    passwordHeader: v.exactOptional(requestHeader('The header that has the password alone.')),
    parameterHeaders: v.exactOptional(parameterHeaders),
    requestBody: v.exactOptional(requestBody),
    bodyFormat: v.exactOptional(v.picklist(['JSON', 'form'], 'JSON or form')),
  }),
  v.description('The request for the token.'),
)

const memberPathMessage = 'names of JSON members that are separated by dots, such as token or data.accessToken'
const jsonPathMessage = `${memberPathMessage}. Of JSONPath, only the beginning $. is read: an item of a list cannot be named`
const isJsonPath = (path: string) => /^\$|[[\]*?()]|\.\./.test(path)
const isMemberPath = (path: string) => path.split('.').every((name) => /^[\w:@-]{1,128}$/.test(name))

/** A list of names once it is read. */
const memberPath = (description: string) =>
  v.pipe(
    text(memberPathMessage),
    v.description(description),
    // z/OS Connect has JSONPath, where this beginning means the same.
    v.transform((path) => path.replace(/^\$\.(?!\.)/, '')),
    v.check((path) => !isJsonPath(path), jsonPathMessage),
    v.check(isMemberPath, memberPathMessage),
    v.transform((path): readonly string[] => path.split('.')),
  )

export const tokenResponse = v.pipe(
  v.strictObject({
    tokenLocation: v.exactOptional(v.picklist(['header', 'body'], 'header or body')),
    responseFormat: v.exactOptional(v.picklist(['Text', 'JSON'], 'Text or JSON')),
    tokenPath: v.exactOptional(memberPath('The members that lead to the token.')),
    header: v.exactOptional(answerHeader('The header that has the token.')),
    expiresPath: v.exactOptional(memberPath('The members that lead to the end of the token, or to its lifetime.')),
    expiresHeader: v.exactOptional(answerHeader('The header that has the end of the token, or its lifetime.')),
  }),
  v.description('Where the answer has the token, and when the token ends.'),
)
