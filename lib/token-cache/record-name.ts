/** Names a record in the shared cache. What a caller asks for never stands in it. */
export interface RecordName {
  /** What belongs together: a connection, or an authorization server. At most 128 letters, digits, `_`, `.` and `-`. */
  readonly group: string
  /** Unique within its group: letters, digits, `_`, `.`, `-` and `#`. */
  readonly id: string
}

export function recordNameText({ group, id }: RecordName): string {
  return `${group}/${id}`
}

/** @returns undefined for what isn't a group, a slash and an id */
export function readRecordName(text: string): RecordName | undefined {
  const end = text.indexOf('/')
  return end < 0 ? undefined : { group: text.slice(0, end), id: text.slice(end + 1) }
}

/** @param digest of the token key */
export function tokenRecordName(connection: string, digest: string): RecordName {
  return { group: connection, id: `token#${digest}` }
}

/** What is known of a connection as a whole. */
export function connectionRecordName(connection: string): RecordName {
  return { group: connection, id: 'connection' }
}

/** @param digest of what cools down */
export function coolDownRecordName(digest: string): RecordName {
  return { group: 'cool-downs', id: `cool-down#${digest}` }
}

/** What is published of a jwtBuilder's keys. A connection may be called `keys`: its ids are others. */
export function publishedKeysRecordName(jwtBuilder: string): RecordName {
  return { group: 'keys', id: `jwks#${jwtBuilder}` }
}

/** @returns the jwtBuilder; undefined for the name of any other record */
export function readPublishedKeysRecordName({ group, id }: RecordName): string | undefined {
  const { group: keys, id: prefix } = publishedKeysRecordName('')
  return group === keys && id.startsWith(prefix) ? id.slice(prefix.length) : undefined
}

/** Moves when a secret changes. */
export const secretsMarkRecordName: RecordName = { group: 'secrets', id: 'secrets#mark' }

/** A token id that finds its record again, under its connection alone: random, and the digest in the record's name. */
export function tokenIdFor({ id }: RecordName, random: string): string {
  return `${random}.${id.slice('token#'.length)}`
}

/** @returns undefined for a token that never was in the shared cache */
export function recordNameOf(connection: string, tokenId: string): RecordName | undefined {
  const [, digest] = tokenId.split('.')
  return digest === undefined ? undefined : tokenRecordName(connection, digest)
}
