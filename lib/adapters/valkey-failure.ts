import { SecretError } from '../secret/secret-error.ts'
import { KeyStoreError } from '../signing-key/key-store-error.ts'
import { RecordStoreError } from '../token-cache/record-store-error.ts'
import type { ValkeyServer } from './valkey-connection.ts'

const untrusted = /^(CERT_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_(GET|VERIFY)_|ERR_TLS_CERT_)/

/** It has done nothing, and soon may. LOADING isn't among them: it lasts for as long as there is to load. */
const passing = ['BUSY', 'TRYAGAIN']

/** The connection is gone, and nothing was answered. */
export function isConnectionLost(error: unknown): boolean {
  return error instanceof Error && !(error instanceof RecordStoreError) && error.name !== 'ReplyError'
}

/** What iovalkey, node:net and node:tls throw, as an error of ours. Of the original only a code is kept: it holds the command. */
export function describeFailure(error: unknown, { host, port }: ValkeyServer): RecordStoreError {
  if (error instanceof RecordStoreError) return error
  const server = `The Valkey server ${host}:${port}`
  if (error instanceof SecretError || error instanceof KeyStoreError)
    return new RecordStoreError(`${server} can't be asked: ${error.message}`)

  const { name, message, code = '' } = error as NodeJS.ErrnoException
  if (name === 'ReplyError') return describeReply(message, server)
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID')
    return new RecordStoreError(`${server} shows a certificate for another host name: use that one in the URL.`)
  if (untrusted.test(code))
    return new RecordStoreError(
      `${server} shows a certificate that isn't trusted (${code}): give the CA that signed it.`,
    )
  return new RecordStoreError(`${server} can't be reached, or closed the connection (${code || 'no reason given'}).`)
}

/** A reply's first word is its code; what follows may repeat what was sent. */
function describeReply(message: string, server: string): RecordStoreError {
  const [code = ''] = /^[A-Z]+/.exec(message) ?? []
  const isThrottled = passing.includes(code)
  return new RecordStoreError(`${server} ${advice[code] ?? `answers with an error (${code || 'no code'}).`}`, {
    isThrottled,
  })
}

const advice: Readonly<Record<string, string>> = {
  BUSY: 'is busy with a script of somebody.',
  CROSSSLOT: 'is a cluster that splits keys by another rule than hash tags: use a Valkey server instead.',
  ERR: 'refuses the command (ERR): is it Valkey, or Redis from 6.2, and does it want a password at all?',
  LOADING: 'is still reading its data from disk (LOADING).',
  MASTERDOWN: 'is a replica that has lost its primary (MASTERDOWN): use the URL of the primary.',
  MOVED: 'is one of several shards (MOVED): use a server or an endpoint that has all keys.',
  NOAUTH: 'wants a password (NOAUTH): name the secret that holds it.',
  NOPERM:
    'refuses the user a command or key (NOPERM): allow it +mget +eval +evalsha +set +time +zadd +zrange +zrem and ~tokenwell:*.',
  OOM: 'has no memory left (OOM): give it more, or let it drop by volatile-ttl.',
  READONLY: 'is a replica (READONLY): use the URL of the primary.',
  TRYAGAIN: 'is moving the keys to another shard.',
  WRONGPASS: 'refuses user name and password (WRONGPASS): check the secret that holds them.',
}

export function timedOutError({ host, port }: ValkeyServer, milliseconds: number): RecordStoreError {
  return new RecordStoreError(`The Valkey server ${host}:${port} didn't answer within ${milliseconds} ms.`)
}
