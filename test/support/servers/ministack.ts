import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { type LookupFunction, Socket } from 'node:net'
import { delimiter, dirname, join } from 'node:path'
import type { Readable } from 'node:stream'
import { setTimeout as pause } from 'node:timers/promises'
import { promisify } from 'node:util'
import { AwsV4Signer } from 'aws4fetch'
import { Agent, fetch, type Response } from 'undici'
import { createServerCertificate } from '../../../infra/local/certificate-authority.ts'
import { temporaryFolder } from '../process/temporary-folder.ts'
import { freePort } from './free-port.ts'
import { MissingServerError } from './real-server.ts'

/** The version that `.ci/run` installs. */
const command = "pip install 'ministack==1.5.33' cryptography"
const startMilliseconds = 180_000
const requestMilliseconds = 120_000
/** A shell's status for an unknown command. The pyenv shim of a missing command has the same status. */
const commandNotFound = 127

export interface Credentials {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken?: string
}

export interface SignedRequest {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
  /** Without it, the request has no signature. */
  readonly signedBy?: Credentials
  /** The service in the signature. */
  readonly service: string
}

/**
 * An AWS account on this machine that deploys a stack. It verifies signatures, evaluates the policies of roles, and runs functions on
 * this Node.js.
 */
export interface Ministack {
  readonly accountId: string
  readonly region: string
  readonly endpoint: string
  /** The root user of the account. It may do everything. */
  readonly root: Credentials
  /** For the CDK's command line: the root user, over TLS. `cdk bootstrap` makes a bucket that denies requests without TLS. */
  readonly commandEnvironment: Readonly<Record<string, string>>
  /** Sends a request to the account. Each host name below `localhost` leads to it. */
  request(url: string, request: SignedRequest): Promise<Response>
}

const accountId = '111122223333'
const region = 'eu-central-1'
const root: Credentials = { accessKeyId: 'test', secretAccessKey: 'test' }

/**
 * An empty account, which ends with the test.
 * @throws {MissingServerError} if it is not installed
 */
export async function startMinistack(t: { after(end: () => Promise<void>): void }): Promise<Ministack> {
  const dispatcher = new Agent({ connect: { lookup: toThisMachine } })
  let running: Gateway | undefined
  // It writes to the folder until it has ended.
  t.after(async () => {
    await running?.stop()
    await dispatcher.destroy()
  })
  const certificate = await createServerCertificate(['localhost', '127.0.0.1'])
  const folder = await temporaryFolder(t, {
    'certificate.pem': certificate.certificate,
    'key.pem': certificate.privateKey,
    'home/empty': '',
  })
  const caFile = join(folder, 'ca.pem')
  await writeFile(caFile, certificate.caCertificate)
  const [port, securePort] = [await freePort(), await freePort()]
  const endpoint = `http://127.0.0.1:${port}`
  running = runGateway(folder, { port, securePort })
  await running.isReady(`${endpoint}/_ministack/health`)
  const secureEndpoint = `https://localhost:${securePort}`
  return {
    accountId,
    region,
    endpoint,
    root,
    commandEnvironment: {
      AWS_ENDPOINT_URL: secureEndpoint,
      AWS_ENDPOINT_URL_S3: secureEndpoint,
      AWS_CA_BUNDLE: caFile,
      NODE_EXTRA_CA_CERTS: caFile,
      AWS_REGION: region,
      // The AWS CLI of version 1 reads only this one.
      AWS_DEFAULT_REGION: region,
      AWS_ACCESS_KEY_ID: root.accessKeyId,
      AWS_SECRET_ACCESS_KEY: root.secretAccessKey,
      AWS_CONFIG_FILE: '/dev/null',
      AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
      AWS_EC2_METADATA_DISABLED: 'true',
      HOME: join(folder, 'home'),
    },
    async request(url, { method = 'GET', headers = {}, body, signedBy, service }) {
      const plain = { url, method, headers, ...(body !== undefined && { body }) }
      const signed = signedBy
        ? await new AwsV4Signer({ ...plain, ...signedBy, region, service }).sign()
        : { url, headers: new Headers(headers) }
      return fetch(signed.url, {
        method,
        headers: [...signed.headers],
        ...(body !== undefined && { body }),
        dispatcher,
        signal: AbortSignal.timeout(requestMilliseconds),
      })
    },
  }
}

/** The names of its HTTP APIs are below `localhost`. The resolvers of some machines do not know such names. */
const toThisMachine: LookupFunction = (_name, options, callback) => {
  if (options.all) callback(null, [{ address: '127.0.0.1', family: 4 }])
  else callback(null, '127.0.0.1', 4)
}

/** The shell ends the server and its functions when its input ends. That also happens if this process dies in any way. */
const untilInputEnds =
  'exec 3<&0; "$@" </dev/null 3<&- & server=$!; (read -r _ <&3; kill $server; sleep 10; kill -KILL -$$) & wait $server; kill -KILL -$$'

interface Gateway {
  isReady(url: string): Promise<void>
  stop(): Promise<void>
}

function runGateway(folder: string, { port, securePort }: { port: number; securePort: number }): Gateway {
  // The functions use the port without TLS, because they refuse to start with a CA in NODE_EXTRA_CA_CERTS.
  const server = ['hypercorn', 'ministack_with_aliases:app', '--bind', `127.0.0.1:${securePort}`]
  const plain = ['--insecure-bind', `127.0.0.1:${port}`]
  const certificate = ['--certfile', join(folder, 'certificate.pem'), '--keyfile', join(folder, 'key.pem')]
  const child = spawn('sh', ['-c', untilInputEnds, 'sh', ...server, ...plain, ...certificate], {
    // A process group of its own, so that no function is left behind.
    detached: true,
    stdio: ['pipe', 'ignore', 'pipe'],
    env: {
      // Lambda's Node.js is the first one on this path.
      PATH: [dirname(process.execPath), process.env['PATH'] ?? ''].join(delimiter),
      HOME: join(folder, 'home'),
      PYTHONPATH: import.meta.dirname,
      PYTHONDONTWRITEBYTECODE: '1',
      TMPDIR: folder,
      GATEWAY_PORT: String(port),
      MINISTACK_REGION: region,
      MINISTACK_ACCOUNT_ID: accountId,
      AUTH: 'true',
      IOT_MTLS_ENABLED: '0',
      SFTP_ENABLED: '0',
      // A line for each request would take a sixth of its time.
      LOG_LEVEL: 'WARNING',
      // Functions inherit it. put-elements may answer to this address in place of CloudFormation's.
      TOKENWELL_EMULATOR: `http://localhost:${port}`,
    },
  })
  const exited = once(child, 'exit')
  const said = listen(child.stderr)
  child.unref()
  for (const pipe of [child.stdin, child.stderr]) if (pipe instanceof Socket) pipe.unref()
  return {
    async isReady(url) {
      const giveUpAt = Date.now() + startMilliseconds
      while (!(await answers(url))) {
        if (child.exitCode !== null || child.signalCode !== null) throw await failedStart(said())
        if (Date.now() > giveUpAt) throw new Error(`ministack does not start: ${said()}`)
        await pause(250)
      }
    },
    async stop() {
      child.ref()
      child.stdin.end()
      await exited
    },
  }
}

/** Returns the last part of its output. An unread pipe would block the server. */
function listen(output: Readable): () => string {
  let said = ''
  output.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(-4_000)
  })
  return () => said
}

function answers(url: string): Promise<boolean> {
  return fetch(url, { signal: AbortSignal.timeout(5_000) }).then(
    ({ ok }) => ok,
    () => false,
  )
}

async function failedStart(said: string): Promise<Error> {
  if (!said.includes("No module named 'ministack'") && (await isInstalled()))
    return new Error(`ministack has ended: ${said}`)
  return new MissingServerError(`ministack is not installed. Install it with: ${command}`)
}

async function isInstalled(): Promise<boolean> {
  const failed: { code?: unknown } | undefined = await promisify(execFile)('hypercorn', ['--help']).then(
    () => undefined,
    (error: { code?: unknown }) => error,
  )
  return failed?.code !== 'ENOENT' && failed?.code !== commandNotFound
}
