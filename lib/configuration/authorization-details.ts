import { canonicalJson } from '../base/canonical-json.ts'
import {
  findDuplicateName,
  isDeeplyNested,
  isJsonArray,
  isJsonObject,
  type JsonObject,
  parseJson,
} from '../base/decoding.ts'

/*
 * The parameter `authorization_details` (RFC 9396 section 2). Details are compared and sent as canonical JSON texts, one for each
 * object. So neither the order of objects nor that of their members makes another token.
 */

/** The name of the parameter. */
export const authorizationDetails = 'authorization_details'

/** What the parameter must be. Completes "must be". */
export const detailsMessage =
  'a JSON list of one or more objects that each have a type (RFC 9396 section 2). Write a number with more than 15 digits as a text'

/** Sorted, without repetitions. Undefined where the value is not a list of objects that each have a type. */
export function canonicalDetails(value: unknown): readonly string[] | undefined {
  if (!isJsonArray(value) || value.length === 0 || !value.every(isDetail)) return undefined
  return [...new Set(value.map(canonicalJson))].sort()
}

/** The details in the text of the parameter. Undefined where the text holds none. */
export function readDetails(text: string): readonly string[] | undefined {
  const value = isDeeplyNested(text) ? undefined : parseJson(text)
  // Of two members with one name, JSON.parse would keep one, and the server perhaps the other.
  return value === undefined || findDuplicateName(text) ? undefined : canonicalDetails(value)
}

/** The text of the parameter. */
export function writeDetails(details: readonly string[]): string {
  return `[${details.join(',')}]`
}

function isDetail(value: unknown): value is JsonObject {
  return isJsonObject(value) && typeof value['type'] === 'string' && value['type'] !== '' && isExact(value)
}

/** `JSON.parse` rounds numbers that a double can't hold: the server would get another amount or account. */
function isExact(value: unknown): boolean {
  if (typeof value === 'number') return Math.abs(value) < 1e15
  return typeof value !== 'object' || value === null || Object.values(value).every(isExact)
}
