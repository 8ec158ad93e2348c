import * as v from 'valibot'
import { object, oneOrMoreTexts, wholeNumber } from './attribute-schema.ts'
import { webIdentityAlgorithms } from './signature-algorithm.ts'

/* The attributes of an awsWebIdentity: the parameters of GetWebIdentityToken (API reference of AWS STS), and the role. */

const mostAudiences = 10
const audienceMessage = `one text of at most 1000 characters, or a list of at most ${mostAudiences} of them`
const audience = v.pipe(
  oneOrMoreTexts(audienceMessage),
  v.check(
    (audiences) => audiences.length <= mostAudiences && audiences.every(({ length }) => length <= 1000),
    audienceMessage,
  ),
  v.description('The aud of the JWT: what the authorization server expects.'),
)

const signingAlgorithm = v.pipe(
  v.picklist(webIdentityAlgorithms, webIdentityAlgorithms.join(' or ')),
  v.description('The algorithm that AWS signs with. The default is ES384.'),
)

const mostTags = 40
const tagsMessage = 'an object of tags, each with a text as its value'
const tags = v.pipe(
  object<Readonly<Record<string, string>>>(tagsMessage, (value) => [
    ...(Object.keys(value).length > mostTags ? [`It has more than ${mostTags} tags. Take some out.`] : []),
    ...(new Set(Object.keys(value).map((name) => name.toLowerCase())).size < Object.keys(value).length
      ? ['Two tags have the same name but for upper and lower case, which AWS refuses. Take one out.']
      : []),
    ...Object.entries(value).flatMap(([name, tag]) => {
      if (/^(aws|tokenwell):/i.test(name))
        return [`AWS and Tokenwell write the tags that begin with aws: and tokenwell:. Give ${name} another name.`]
      if (!isTagText(name, 1, 128)) return ['The name of a tag may have 1 to 128 letters, digits, spaces and _.:/=+-@.']
      return typeof tag === 'string' && isTagText(tag, 0, 256)
        ? []
        : [`The value of ${name} must be a text of at most 256 letters, digits, spaces and _.:/=+-@.`]
    }),
  ]),
  v.description('Tags in the JWT, beside those of the stage and the connection.'),
)

function isTagText(text: string, least: number, most: number): boolean {
  return text.length >= least && text.length <= most && /^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$/u.test(text)
}

export const webIdentity = {
  audience,
  signingAlgorithm: v.exactOptional(signingAlgorithm),
  // AWS signs no JWT that outlives the session of its role, and a session of an assumed role lives for an hour at most.
  durationSeconds: v.exactOptional(wholeNumber(60, 3300)),
  tags: v.exactOptional(tags),
  /** Whose role asks for the JWT, and is its subject. */
  role: v.exactOptional(
    v.pipe(
      v.picklist(['stage', 'connection'], 'stage or connection'),
      v.description('Whose role is the sub of the JWT: that of the stage, or one of the connection alone.'),
    ),
  ),
}
