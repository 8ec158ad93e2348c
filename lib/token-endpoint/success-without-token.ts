import type { JsonObject } from '../base/decoding.ts'
import type { AnswerPlace } from '../configuration/auth-token.ts'
import { isTokenType } from '../configuration/value-syntax.ts'
import { type AnswerContext, serverSays } from './answer-context.ts'
import { isHtml, printableWords, type Saying, titleOf } from './servers-words.ts'
import { isBearer, isUsable, membersIn } from './token-answer.ts'
import type { TokenEndpointAnswer } from './token-endpoint.ts'
import { UnreadableAnswerError } from './token-endpoint-error.ts'

/** Its values may be a token under another name: the message has only the names of its members, or the size of its body. */
export function unreadableSuccess(
  answer: TokenEndpointAnswer,
  sayings: readonly Saying[],
  context: AnswerContext,
): UnreadableAnswerError {
  const { status, body } = answer
  const members = membersIn(body)
  const { server, tokenPlace } = context
  if (tokenPlace && tokenPlace.in !== 'json') return tokenMissing(answer, tokenPlace, context)
  if (!members) {
    const words = serverSays([{ name: 'title', value: isHtml(body) ? titleOf(body) : '' }], context)
    const { length } = body
    return new UnreadableAnswerError(
      `The authorization server ${server} answered with status ${status} and ${length} characters that are not a JSON object. Check tokenEndpoint: it may lead to another page.${words}`,
    )
  }
  if (tokenPlace)
    return new UnreadableAnswerError(
      `The authorization server ${server} answered with status ${status} and without a token at ${tokenPlace.path.join('.')}. A token is printable ASCII without blanks. Check tokenPath of the authToken element.${membersFound(members, context)}`,
    )
  const { access_token: accessToken, token_type: type } = members
  if (isUsable(accessToken) && type === 'N_A')
    return new UnreadableAnswerError(
      `The authorization server ${server} answered with a token_type other than Bearer (N_A): the token is not an access token (RFC 8693 section 2.2.1). Set requestedTokenType to access_token, or configure the server to issue access tokens.`,
      { blames: 'token' },
    )
  if (isUsable(accessToken) && !isBearer(type, context.tokenTypes)) {
    const name =
      typeof type === 'string' && !context.isForUser
        ? printableWords([{ name: '', value: type.slice(0, 64) }], context.sent.secrets)
        : undefined
    const advice =
      typeof type === 'string' && isTokenType(type)
        ? `If the API accepts it as a bearer token, add it to tokenTypes of authorizationServer/${server}.`
        : 'Tokenwell uses bearer tokens only: configure the server to issue them to this client.'
    const found = name === undefined ? '' : ` (${name})`
    return new UnreadableAnswerError(
      `The authorization server ${server} answered with a token_type other than Bearer${found}. ${advice}`,
    )
  }
  const found = sayings.length === 0 ? '' : membersFound(members, context)
  return new UnreadableAnswerError(
    `The authorization server ${server} answered without an access_token that is a printable string.${found}`,
  )
}

function membersFound(members: JsonObject, { sent, isForUser }: AnswerContext): string {
  const names = Object.keys(members).slice(0, 10)
  const printable = printableWords(
    names.map((value) => ({ name: '', value: value.slice(0, 40) })),
    sent.secrets,
  )
  return printable === undefined || isForUser ? '' : ` The members of its answer are: ${printable}.`
}

/** The token of an `authToken` is not in its header, or the body is not a token. */
function tokenMissing(
  { status, body }: TokenEndpointAnswer,
  place: Exclude<AnswerPlace, { readonly in: 'json' }>,
  context: AnswerContext,
): UnreadableAnswerError {
  const { server } = context
  if (place.in === 'header')
    return new UnreadableAnswerError(
      `The authorization server ${server} answered with status ${status} and without a token in one header ${place.header}. A token is printable ASCII without blanks. Check tokenResponse of the authToken element.`,
    )
  const words = serverSays([{ name: 'title', value: isHtml(body) ? titleOf(body) : '' }], context)
  return new UnreadableAnswerError(
    `The authorization server ${server} answered with status ${status} and ${body.length} characters that are not a token. With responseFormat Text the whole body is the token: printable ASCII without blanks, and not JSON. Check tokenResponse of the authToken element.${words}`,
  )
}
