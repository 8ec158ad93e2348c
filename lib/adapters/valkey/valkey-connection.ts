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
  /** The trusted CA in PEM. By default the CA list of Node.js. */
  readonly ca?: string
}

/** Each new connection reads its credentials here, so that it gets a rotated password. */
export interface ValkeyCredentialSource {
  read(): Promise<ValkeyCredentials>
}

export interface ValkeyConnection {
  readonly opened: Promise<Valkey>
  /** Whether `opened` has resolved. */
  readonly isOpen: boolean
  /** Closes the connection. Commands without an answer may fail. */
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
 * A record that may already be removed by the server's clock still stays for some seconds, so that other instances see that it was
 * written. MGET treats a value that is not a string as absent. `readRecord` uses the same pattern for the version.
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
 * Moves a hint to the time that the record says, or removes the hint. It does nothing if there is a mark, or if the record was read
 * more than 30 s ago, as by a function that was frozen since. That leaves the writer of a mark half of the mark's lifetime.
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
 * Opens one connection. It does not reconnect and does not repeat commands, because a repeated write whose first answer was lost
 * would fail its own condition. An idle connection does not keep the process alive.
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
    // Not through the options of the client: with them it prints a warning if the server requires no password.
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
    // IPv4 and IPv6. The default is IPv4 only.
    family: 0,
    lazyConnect: true,
    retryStrategy: () => null,
    enableOfflineQueue: false,
    // The ready check sends INFO, which is one more command and needs one more right.
    enableReadyCheck: false,
    scripts: {
      compareAndSet: { lua: compareAndSet, numberOfKeys: 1 },
      tidyHint: { lua: tidyHint, numberOfKeys: 2 },
    },
    ...(isTls && {
      tls: {
        minVersion: 'TLSv1.2',
        // Set explicitly, so that NODE_TLS_REJECT_UNAUTHORIZED cannot turn it off.
        rejectUnauthorized: true,
        // An endpoint for many servers selects the server by this name. node:tls does not send it by default.
        ...(isIP(host) === 0 && { servername: host }),
        ...(ca !== undefined && { ca }),
      },
    }),
  })
}

/** The reason of a failure comes only as an event. The promise only says that the connection is closed. */
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

/** Reads the credentials from a secret, anew for each connection. */
export function credentialsInSecret(secretName: string, secrets: SecretStore): ValkeyCredentialSource {
  return {
    async read() {
      return readValkeyCredentials(secretName, await secrets.get(secretName))
    },
  }
}

/**
 * Reads the member `valkey` of the cache's secret, `{ "username"?, "password"?, "ca"? }`. It may be absent if the server requires
 * no credentials.
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

/** Translates what iovalkey, node:net and node:tls throw. Only the code of the original is kept, because the original holds the command. */
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

/** The first word of a reply is its code. The rest is dropped, because it may repeat what was sent. */
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
