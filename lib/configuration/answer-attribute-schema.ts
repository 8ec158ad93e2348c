import * as v from 'valibot'
import { isJsonArray, type JsonObject } from '../base/decoding.ts'
import { object, oneOrMoreTexts } from './attribute-schema.ts'
import { isHostPattern } from './host-pattern.ts'
import { foldedParameterName } from './value-syntax.ts'

/* The attributes that say what a token answer means beside its token. */

const neverForCallers = 'no caller may get it'
const byTokenwell = "Tokenwell's answer has its own"
/** Why callers don't get these members of the authorization server's answer. */
const reservedMembers: Readonly<Record<string, string>> = {
  refresh_token: neverForCallers,
  id_token: neverForCallers,
  client_secret: neverForCallers,
  device_secret: neverForCallers,
  registration_access_token: neverForCallers,
  access_token: byTokenwell,
  token_type: byTokenwell,
  issued_token_type: byTokenwell,
  expires_in: byTokenwell,
  scope: byTokenwell,
  token_id: byTokenwell,
  source: byTokenwell,
  ignored: byTokenwell,
  keep_seconds: byTokenwell,
  error: byTokenwell,
  error_description: byTokenwell,
  error_uri: byTokenwell,
  request_id: byTokenwell,
  retry_after: byTokenwell,
  status: byTokenwell,
}
const reservedFolded = new Map(
  Object.entries(reservedMembers).map(([name, reason]) => [foldedParameterName(name), reason]),
)

/** What is wrong with the name of a member that callers get. */
export function complainOfMember(name: string): string[] {
  if (!/^(?!__proto__$)[\w.:-]{1,64}$/.test(name))
    return ["The name of a member has at most 64 characters: letters, digits, _ . : and -, and isn't __proto__."]
  const reason = reservedFolded.get(foldedParameterName(name))
  return reason === undefined ? [] : [`Take out the member ${name}: ${reason}.`]
}

const mostMembers = 20
const passOnMessage = `the name of one member of the token answer, or a list of at most ${mostMembers} names`
export const passOn = v.pipe(
  oneOrMoreTexts(passOnMessage),
  v.maxLength(mostMembers, passOnMessage),
  v.rawCheck(({ dataset, addIssue }) => {
    if (dataset.typed) for (const complaint of dataset.value.flatMap(complainOfMember)) addIssue({ message: complaint })
  }),
  v.description("Members of the authorization server's token answer that callers get beside the token."),
)

const hostFromMessage = 'an object with member, the name of a member of the token answer, and within, a list of hosts'
const mostHosts = 50
export interface HostFromAttribute {
  readonly member: string
  readonly within: readonly string[]
}
export const hostFrom = v.pipe(
  object<HostFromAttribute & JsonObject>(hostFromMessage, ({ member, within, ...others }) => [
    ...Object.keys(others).map((name) => `Take out ${name}: there are only member and within.`),
    ...(typeof member === 'string'
      ? complainOfMember(member)
      : ['Set member to the name of the member of the token answer that has the origin of the API.']),
    ...complainOfHosts(within),
  ]),
  v.transform(
    ({ member, within }): HostFromAttribute => ({ member, within: within.map((host) => host.toLowerCase()) }),
  ),
  v.description('Where the API is, if the token answer says it. within lists the hosts that it may name.'),
)

function complainOfHosts(within: unknown): string[] {
  if (!isJsonArray(within) || within.length === 0 || within.length > mostHosts)
    return [
      `Set within to a list of 1 to ${mostHosts} hosts that the member may name, such as *.my.salesforce.com. Without it, an answer could send tokens to any host.`,
    ]
  return within.every((host) => typeof host === 'string' && isHostPattern(host.toLowerCase()))
    ? []
    : [
        'Each entry of within must be the name of a host, or *. and a domain of at least two labels, such as *.my.salesforce.com. An entry has no scheme, path, address or dot at its end.',
      ]
}
