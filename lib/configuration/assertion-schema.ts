import * as v from 'valibot'
import { object } from './attribute-schema.ts'
import { isWebUrl } from './value-syntax.ts'

/* The attributes of a jwtBuilder that change what an assertion holds. */

/** The claims and the header that `omit` may leave out. A JWT for an OAuth 2.0 server always has `aud`. */
export const omittable = ['iss', 'sub', 'aud', 'nbf', 'iat', 'jti', 'kid'] as const

export type Omittable = (typeof omittable)[number]

/** Why `omit` must not leave them out. */
const required: Readonly<Record<string, string>> = {
  exp: 'Take exp out: without it, the JWT would be valid forever.',
  alg: 'Take alg out: a JWT must have it (RFC 7515 section 4.1.1).',
  typ: 'Take typ out: to leave this header out, set typ to none.',
}

const omitMessage = `one of ${omittable.join(', ')}, or a list of them`
export const omit = v.pipe(
  v.union([v.string(omitMessage), v.array(v.string(omitMessage))], omitMessage),
  v.transform((value): readonly string[] => [...new Set([value].flat())]),
  v.rawCheck(({ dataset, addIssue }) => {
    if (!dataset.typed) return
    if (dataset.value.length === 0) addIssue({ message: `It must be ${omitMessage}.` })
    for (const name of dataset.value)
      if (Object.hasOwn(required, name)) addIssue({ message: required[name] ?? '' })
      else if (!isOmittable(name)) addIssue({ message: `It must be ${omitMessage}.` })
  }),
  v.transform((names): readonly Omittable[] => names.filter(isOmittable)),
  v.description(`What is left out of the JWT: ${omittable.join(', ')}.`),
)

function isOmittable(name: string): name is Omittable {
  return (omittable as readonly string[]).includes(name)
}

const byAttribute = (attribute: string) => `set the attribute ${attribute} of this element instead`
/** Why `header` must not set them. */
const reservedMembers: Readonly<Record<string, string>> = {
  alg: byAttribute('signatureAlgorithm'),
  kid: 'it is the kid of the key in its secret. To leave it out, name it in omit',
  typ: byAttribute('typ'),
  x5t: byAttribute('certificateThumbprint'),
  'x5t#S256': byAttribute('certificateThumbprint'),
  x5c: byAttribute('x5c'),
  crit: 'Tokenwell supports no extension that a server would have to understand',
  b64: 'the payload of a JWT is always encoded (RFC 7797 section 7)',
  jwk: 'a server must not trust a key because the assertion brings it',
}
const urlMembers: readonly string[] = ['jku', 'x5u']

function isHttpsUrl(value: unknown): boolean {
  return typeof value === 'string' && value.startsWith('https://') && isWebUrl(value)
}

export const header = v.pipe(
  object<Readonly<Record<string, unknown>>>('an object of header members', (value) =>
    Object.entries(value).flatMap(([name, member]) => {
      if (Object.hasOwn(reservedMembers, name)) return [`Take out ${name}: ${reservedMembers[name]}.`]
      if (member === null) return [`The member ${name} is null. Give it a value, or take it out.`]
      if (urlMembers.includes(name) && !isHttpsUrl(member))
        return [`The member ${name} must be a URL that begins with https:// (RFC 7515 section 4.1).`]
      return name === 'cty' && typeof member !== 'string' ? ['The member cty must be a text.'] : []
    }),
  ),
  v.description('More members of the JOSE header, such as jku or cty.'),
)
