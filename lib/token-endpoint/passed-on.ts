import type { PassedOn } from '../access-token/token.ts'
import type { JsonObject } from '../base/decoding.ts'
import { membersIn } from './token-answer.ts'

/** The most that the members of one answer take together, as JSON. Each token is kept with them. */
const mostBytes = 2_048

export interface ReadMembers {
  readonly passedOn: PassedOn
  readonly leftOut: readonly { readonly member: string; readonly reason: string }[]
}

/**
 * The members of an answer that callers get beside its token, as a JSON object has them. A member that can't be passed on is left
 * out, because the token works without it.
 * @param names in the order of their importance: the first ones find room
 */
export function readPassedOn(body: string, names: readonly string[]): ReadMembers {
  const members = membersIn(body) ?? {}
  let read: ReadMembers = { passedOn: {}, leftOut: [] }
  for (const member of names) read = withMember(read, member, members)
  return read
}

function withMember({ passedOn, leftOut }: ReadMembers, member: string, members: JsonObject): ReadMembers {
  const value = Object.hasOwn(members, member) ? members[member] : undefined
  const reason = whyLeftOut(value)
  if (reason !== undefined) return { passedOn, leftOut: [...leftOut, { member, reason }] }
  const more = { ...passedOn, [member]: value as string | number | boolean }
  if (Buffer.byteLength(JSON.stringify(more)) <= mostBytes) return { passedOn: more, leftOut }
  const tooLarge = `with it, the members would take more than ${mostBytes} bytes as JSON.`
  return { passedOn, leftOut: [...leftOut, { member, reason: tooLarge }] }
}

function whyLeftOut(value: unknown): string | undefined {
  if (value === undefined || value === null) return 'the answer has no value for it.'
  if (typeof value === 'object') return 'its value is an object or a list.'
  // JSON.parse has rounded it: callers would get another number than the server sent.
  if (typeof value === 'number' && Math.abs(value) > Number.MAX_SAFE_INTEGER)
    return 'its value is a number with too many digits to be exact.'
  return undefined
}
