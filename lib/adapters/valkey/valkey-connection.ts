import { isIP } from 'node:net'
import { type ClientContext, type Result, Valkey } from 'iovalkey'
import * as v from 'valibot'
import { RecordStoreError } from '../../fleet/record-store.ts'
import { Secret } from '../../secret/secret.ts'
import { SecretError, type SecretStore } from '../../secret/secret-store.ts'
import { KeyStoreError } from '../../signing/signing-key.ts'

export interface ValkeyServer {
  readonly host: string
  readonly port: number
  readonly isTls: boolean
}

export interface ValkeyCredentials {
  readonly username?: string
  readonly password?: Secret
  /** PEM; without it Node's own CAs are trusted. */
  readonly ca?: string
}

/** Where each new connection gets its credentials, so that it finds a password that was rotated. */
export interface ValkeyCredentialSource {
  read(): Promise<ValkeyCredentials>
}

export interface ValkeyConnection {
  readonly opened: Promise<Valkey>
  /** Whether that has happened. */
  readonly isOpen: boolean
  /** What has not been answered may fail. */
  close(): void
}

declare module 'iovalkey' {
  interface RedisCommander<Context extends ClientContext> {
    compareAndSet(key: string, expected: string, value: string, removableFrom: number): Result<unknown, Context>
    tidyHint(
      hints: string,
      mark: string,
      name: string,
      dueAt: number | '',
      readAtSeconds: number,
    ): Result<unknown, Context>
  }
}

/**
 * By the server's clock, what is removable already stays for some seconds: it has been there. MGET takes for absent what
 * isn't a string. The pattern of a version is `readRecord`'s, too.
 */
const compareAndSet = String.raw`
local there = redis.call('MGET', KEYS[1])[1]
local version = there and string.match(there, '^([%w_-]+)\n') or ''
if version ~= ARGV[1] then return 0 end
local time = redis.call('TIME')
local soonest = time[1] * 1000 + math.ceil(time[2] / 1000) + 5000
redis.call('SET', KEYS[1], ARGV[2], 'PXAT', math.max(tonumber(ARGV[3]), soonest))
return 1`

/**
 * What the record said moves the hint, or ends it; unless there is a mark, or it was read long ago: by a function that was
 * frozen since. Half the life of a mark is left to whoever made it.
 */
const tidyHint = `
if redis.call('TIME')[1] - ARGV[3] > 30 or redis.call('MGET', KEYS[2])[1] then return 0 end
if ARGV[2] == '' then
  redis.call('ZREM', KEYS[1], ARGV[1])
else
  redis.call('ZADD', KEYS[1], ARGV[2], ARGV[1])
end
return 1`

/**
 * One connection, which is not opened again by itself and repeats nothing: a write whose answer was lost would then fail on
 * what it has written. While idle it keeps no process alive.
 */
export function openConnection(
  server: ValkeyServer,
  credentials: ValkeyCredentialSource,
  onEnd: () => void,
): ValkeyConnection {
  let client: Valkey | undefined
  let [isOpen, isClosed] = [false, false]

  async function open(): Promise<Valkey> {
    const { username, password, ca } = await credentials.read()
    if (isClosed) throw new Error('The connection was closed while its credentials were read.')
    client = createClient(server, ca)
    client.once('end', onEnd)
    await connect(client)
    client.stream.unref()
    // Not by the client's own options: those make a warning on the console of a server that wants no password.
    if (username !== undefined) await client.auth(username, password?.reveal() ?? '')
    else if (password) await client.auth(password.reveal())
    isOpen = true
    return client
  }

  return {
    opened: open(),
    get isOpen() {
      return isOpen
    },
    close() {
      isClosed = true
      client?.disconnect()
    },
  }
}

function createClient({ host, port, isTls }: ValkeyServer, ca: string | undefined): Valkey {
  return new Valkey({
    host,
    port,
    // Whatever the name resolves to; the default is IPv4 alone.
    family: 0,
    lazyConnect: true,
    retryStrategy: () => null,
    enableOfflineQueue: false,
    // INFO is a command more, and a right more.
    enableReadyCheck: false,
    scripts: {
      compareAndSet: { lua: compareAndSet, numberOfKeys: 1 },
      tidyHint: { lua: tidyHint, numberOfKeys: 2 },
    },
    ...(isTls && {
      tls: {
        minVersion: 'TLSv1.2',
        // Not left to NODE_TLS_REJECT_UNAUTHORIZED.
        rejectUnauthorized: true,
        // An endpoint for many servers tells them by it; node:tls doesn't say it by itself.
        ...(isIP(host) === 0 && { servername: host }),
        ...(ca !== undefined && { ca }),
      },
    }),
  })
}

/** What failed is told by an event alone; the promise says that the connection is closed. */
async function connect(client: Valkey): Promise<void> {
  let reason: unknown
  client.on('error', (error) => {
    reason = error
  })
  await client.connect().catch((error) => {
    throw reason ?? error
  })
}

const text = v.pipe(v.string(), v.minLength(1))
const schema = v.object({
  valkey: v.optional(
    v.strictObject({ username: v.exactOptional(text), password: v.exactOptional(text), ca: v.exactOptional(text) }),
    {},
  ),
})

/** The credentials in the secret of that name, as it is at each read. */
export function credentialsInSecret(secretName: string, secrets: SecretStore): ValkeyCredentialSource {
  return {
    async read() {
      return readValkeyCredentials(secretName, await secrets.get(secretName))
    },
  }
}

/**
 * The member `valkey` of the cache's secret, `{ "username"?, "password"?, "ca"? }`; a server that wants none needs none.
 * @throws {KeyStoreError}
 */
export function readValkeyCredentials(location: string, secret: Secret): ValkeyCredentials {
  const read = v.safeParse(v.pipe(v.string(), v.parseJson(), schema), secret.reveal())
  if (!read.success)
    throw new KeyStoreError(
      location,
      'must be a JSON object. Its member valkey, if present, is an object with only the strings username, password and ca, each optional.',
    )
  const { password, ...rest } = read.output.valkey
  return { ...rest, ...(password !== undefined && { password: new Secret(password) }) }
}

const untrusted = /^(CERT_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_(GET|VERIFY)_|ERR_TLS_CERT_)/

/** It has done nothing, and soon may. LOADING isn't among them: it lasts for as long as there is to load. */
const passing = ['BUSY', 'TRYAGAIN']

/** The connection is gone, and nothing was answered. */
export function isConnectionLost(error: unknown): boolean {
  return error instanceof Error && !(error instanceof RecordStoreError) && error.name !== 'ReplyError'
}

/** What iovalkey, node:net and node:tls throw, as an error of ours. Of the original only a code is kept: it holds the command. */
export function describeValkeyFailure(error: unknown, { host, port }: ValkeyServer): RecordStoreError {
  if (error instanceof RecordStoreError) return error
  const server = `The Valkey server ${host}:${port}`
  if (error instanceof SecretError || error instanceof KeyStoreError)
    return new RecordStoreError(`${server} cannot be used. ${error.message}`)

  const { name, message, code = '' } = error as NodeJS.ErrnoException
  if (name === 'ReplyError') return describeReply(message, server)
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID')
    return new RecordStoreError(`${server} sent a certificate for another host name. Use that host name in the URL.`)
  if (untrusted.test(code))
    return new RecordStoreError(
      `${server} sent a certificate that is not trusted (${code}). Add the CA that signed it to the secret, as ca of its member valkey.`,
    )
  const reason = code || 'no reason given'
  return new RecordStoreError(`${server} cannot be reached or closed the connection (${reason}).`)
}

/** A reply's first word is its code; what follows may repeat what was sent. */
function describeReply(message: string, server: string): RecordStoreError {
  const [code = ''] = /^[A-Z]+/.exec(message) ?? []
  const [isThrottled, isNotTaken] = [passing.includes(code), code === 'OOM']
  return new RecordStoreError(describeCode(code, server), { isThrottled, isNotTaken })
}

function describeCode(code: string, server: string): string {
  switch (code) {
    case 'BUSY':
      return `${server} is busy running a script (BUSY).`
    case 'CROSSSLOT':
      return `${server} is a cluster that does not assign keys to slots by hash tag (CROSSSLOT). Use a Valkey server instead.`
    case 'ERR':
      return `${server} rejected the command (ERR). Check that it is Valkey, or Redis 6.2 or later, and that it has a password if the secret holds one.`
    case 'LOADING':
      return `${server} is still loading its data from disk (LOADING).`
    case 'MASTERDOWN':
      return `${server} is a replica that has lost its primary (MASTERDOWN). Use the URL of the primary.`
    case 'MOVED':
      return `${server} is one of several shards (MOVED). Use a server or an endpoint that holds all keys.`
    case 'NOAUTH':
      return `${server} requires a password (NOAUTH). Add it to the secret, as password of its member valkey.`
    case 'NOPERM':
      return `${server} denied the user a command or key (NOPERM). Allow +mget +eval +evalsha +set +time +zadd +zrange +zrem and ~tokenwell:*.`
    case 'OOM':
      return `${server} has no memory left (OOM). Give it more memory, or set its eviction policy to volatile-ttl.`
    case 'READONLY':
      return `${server} is a replica (READONLY). Use the URL of the primary.`
    case 'TRYAGAIN':
      return `${server} is moving the keys to another shard (TRYAGAIN).`
    case 'WRONGPASS':
      return `${server} rejected the user name and password (WRONGPASS). Check the secret that holds them.`
    case '':
      return `${server} answered with an error without a code.`
    default:
      return `${server} answered with an error (${code}).`
  }
}

export function timedOutError({ host, port }: ValkeyServer, milliseconds: number): RecordStoreError {
  return new RecordStoreError(`The Valkey server ${host}:${port} did not answer within ${milliseconds} ms.`)
}
