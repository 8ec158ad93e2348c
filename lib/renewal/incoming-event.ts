import { isTokenId } from '../access-token/token.ts'
import { isJsonObject, type JsonObject, parseJson } from '../base/decoding.ts'
import { TokenwellError } from '../base/tokenwell-error.ts'
import { isNameOfSecret, secretPrefix } from '../configuration/deployment.ts'
import { type ElementReference, type Kind, kinds } from '../configuration/element.ts'
import { isElementId } from '../configuration/value-syntax.ts'
import type { TokenwellEvent } from '../events/event-bus.ts'

/** An event of the stack's own bus, or of the account's default bus. It only says what to check. */
export type IncomingEvent =
  | Extract<TokenwellEvent, { readonly type: 'TokenRefreshRequested' | 'TokenRejected' | 'ConnectionChanged' }>
  /** From an operator: ends the tokens of this connection, or of all connections. */
  | { readonly type: 'ClearTokenCache'; readonly connection?: string }
  /** From an operator: this key must not be used any more. */
  | { readonly type: 'RevokeKey'; readonly jwtBuilder: string; readonly kid: string }
  /** From the schedule: makes up for events that were lost. */
  | { readonly type: 'ReconcileElements' }
  /** The element was written, deleted or labelled. */
  | ({ readonly type: 'ElementChanged' } & ElementReference)
  /** The secret has a new current version. */
  | { readonly type: 'SecretChanged'; readonly name: string }
  /** The event needs no action. */
  | { readonly type: 'Ignored'; readonly why: string }

/**
 * An EventBridge event, or its JSON in a message's body.
 * @throws {UnreadableEventError}
 */
export function readIncomingEvent(input: unknown, stage: string): IncomingEvent {
  const event = readObject('it', typeof input === 'string' ? parse(input) : input)
  const type = readText('detail-type', event['detail-type'])

  // Only AWS services can send events with a source that begins with `aws.`: EventBridge rejects them from any other sender.
  switch (event['source']) {
    case 'aws.ssm':
      if (type !== 'Parameter Store Change') throw unknownType()
      return readParameterChange(readDetail(event), stage)
    case 'aws.secretsmanager':
      if (type !== 'Secret Label Updated') throw unknownType()
      return readSecretChange(readDetail(event), stage)
    default:
      return readOwnEvent(type, event)
  }
}

function readOwnEvent(type: string, event: JsonObject): IncomingEvent {
  switch (type) {
    case 'TokenRefreshRequested':
    case 'TokenRejected': {
      const { connection, tokenId } = readDetail(event)
      return { type, connection: readConnection(connection), tokenId: readTokenId(tokenId) }
    }
    case 'ConnectionChanged':
      return { type, connection: readConnection(readDetail(event)['connection']) }
    case 'ClearTokenCache':
      return readClearTokenCache(event)
    case 'RevokeKey':
      return readRevokeKey(readDetail(event))
    case 'ReconcileElements':
      return { type }
    case 'TokenRefreshed':
    case 'TokenRefreshFailed':
    case 'ConnectionRefused':
    case 'TokenEndpointOnNewHost':
      return ignored('The event only reports what Tokenwell did.')
    default:
      throw unknownType()
  }
}

function readClearTokenCache(event: JsonObject): IncomingEvent {
  const { connection, ...others } = event['detail'] === undefined ? {} : readDetail(event)
  // A misspelt `connection` must not clear the tokens of all connections.
  if (Object.keys(others).length > 0)
    throw new UnreadableEventError('detail', 'of ClearTokenCache may contain only connection.')
  if (connection === undefined) return { type: 'ClearTokenCache' }
  return { type: 'ClearTokenCache', connection: readConnection(connection) }
}

/** Longer than any kid that a rotation makes, or that an operator would choose. */
const longestKid = 256

function readRevokeKey({ jwtBuilder, kid, ...others }: JsonObject): IncomingEvent {
  // A misspelt member may mean that less than the whole key should be revoked.
  if (Object.keys(others).length > 0)
    throw new UnreadableEventError('detail', 'of RevokeKey may contain only jwtBuilder and kid.')
  if (typeof jwtBuilder !== 'string' || !isElementId(jwtBuilder))
    throw new UnreadableEventError('detail.jwtBuilder', 'must be the id of a jwtBuilder.')
  if (typeof kid !== 'string' || kid === '' || kid.length > longestKid)
    throw new UnreadableEventError('detail.kid', `must be the kid of a key: a string of 1 to ${longestKid} characters.`)
  return { type: 'RevokeKey', jwtBuilder, kid }
}

/** The operation does not matter: Tokenwell reads the present state from Parameter Store. */
function readParameterChange({ name }: JsonObject, stage: string): IncomingEvent {
  const parameter = readText('detail.name', name)
  const root = `/tokenwell/${stage}/`
  if (!parameter.startsWith(root)) return ignored('The parameter is not an element of this stage.')

  const [kindName, id = '', ...more] = parameter.slice(root.length).split('/')
  if (more.length > 0 || !isElementId(id)) return ignored('The name of the parameter is not <kind>/<id>.')
  const kind: Kind | undefined = kinds.find((each) => each === kindName)
  return kind ? { type: 'ElementChanged', kind, id } : ignored('The kind of element does not exist.')
}

/** https://docs.aws.amazon.com/secretsmanager/latest/userguide/event-detail-secret-label-updated-secretsmanager.html */
function readSecretChange({ name, labelUpdated }: JsonObject, stage: string): IncomingEvent {
  const secret = readText('detail.name', name)
  if (readText('detail.labelUpdated', labelUpdated) !== 'AWSCURRENT')
    return ignored('The label that moved is not AWSCURRENT.')
  if (!isNameOfSecret(secret, secretPrefix({ stage }))) return ignored('The secret does not belong to this stage.')
  return { type: 'SecretChanged', name: secret }
}

function readDetail(event: JsonObject): JsonObject {
  return readObject('detail', event['detail'])
}

function readConnection(value: unknown): string {
  if (typeof value !== 'string' || !isElementId(value))
    throw new UnreadableEventError('detail.connection', 'must be the name of a connection.')
  return value
}

function readTokenId(value: unknown): string {
  if (typeof value !== 'string' || !isTokenId(value))
    throw new UnreadableEventError('detail.tokenId', 'must be a token_id that Tokenwell returned.')
  return value
}

function readObject(member: string, value: unknown): JsonObject {
  if (!isJsonObject(value)) throw new UnreadableEventError(member, 'must be a JSON object.')
  return value
}

function readText(member: string, value: unknown): string {
  if (typeof value !== 'string') throw new UnreadableEventError(member, 'must be a string.')
  return value
}

function parse(text: string): unknown {
  const value = parseJson(text)
  if (value === undefined) throw new UnreadableEventError('it', 'is not valid JSON.')
  return value
}

function ignored(why: string): IncomingEvent {
  return { type: 'Ignored', why }
}

function unknownType(): UnreadableEventError {
  return new UnreadableEventError('detail-type', 'is not a type that Tokenwell accepts from this source.')
}

/** An event that Tokenwell cannot read, also not when it is delivered again. The message names the member, never its value. */
export class UnreadableEventError extends TokenwellError {
  readonly code = 'unreadable_event'

  constructor(member: string, complaint: string) {
    super(`The event cannot be read: ${member} ${complaint}`)
  }
}
