import * as v from 'valibot'
import { object } from './attribute-schema.ts'
import { isJsonObject, type JsonObject, readStrictJson } from './strict-json.ts'

const claimsMessage = 'an object of claims, or a text that holds one as JSON'
export const claims = v.pipe(
  v.union([v.string(), v.custom<JsonObject>(isJsonObject)], claimsMessage),
  v.check((value) => isJsonObject(parseClaims(value)), claimsMessage),
  v.transform(parseClaims),
  object<JsonObject>(claimsMessage, (value) => [
    ...claimRules.flatMap(([name, isRight, message]) =>
      Object.hasOwn(value, name) && !isRight(value[name]) ? [`claims whose ${name} is ${message}`] : [],
    ),
    ...Object.entries(value).flatMap(([name, claim]) =>
      claim === null ? [`claims without null: ${name} has no value`] : [],
    ),
  ]),
)

/** A name that stands twice would lose one of its values. */
function parseClaims(value: string | JsonObject): unknown {
  if (typeof value !== 'string') return value
  const read = readStrictJson(value)
  return 'value' in read ? read.value : undefined
}

/** RFC 7519 section 4.1. */
const isText = (value: unknown) => typeof value === 'string' && value.trim() !== ''
const isDate = (value: unknown) => Number.isSafeInteger(value) && Number(value) > 0
const isAudience = (value: unknown) =>
  isText(value) || (Array.isArray(value) && value.length > 0 && value.every(isText))
const claimRules: readonly (readonly [string, (value: unknown) => boolean, string])[] = [
  ['iss', isText, 'a text'],
  ['aud', isAudience, 'a text or a list of texts'],
  ['exp', isDate, 'a whole number of seconds since 1970'],
  ['nbf', isDate, 'a whole number of seconds since 1970'],
  ['jti', isText, 'a text'],
]
