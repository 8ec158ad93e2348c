import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { Socket } from 'node:net'
import type { Readable, Writable } from 'node:stream'
import { after, type TestContext } from 'node:test'
import { CreateSecretCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import { PutParameterCommand, SSMClient } from '@aws-sdk/client-ssm'
import { type RawElements, withoutUndefined } from '../elements/elements.ts'
import { plant } from '../output/canary.ts'
import { MissingServerError } from './real-server.ts'

/** AWS on this machine, empty at the start of each test. It checks no permissions: everything is allowed. */
export interface Moto {
  readonly endpoint: string
  /** Environment variables that point an SDK client at it, and hide the machine's own configuration. */
  readonly environment: Readonly<Record<string, string>>
  readonly secretsManager: SecretsManagerClient
  readonly parameterStore: SSMClient
  /** Writes the elements as parameters of that stage, by default `local`. */
  putElements(elements: RawElements, stage?: string): Promise<void>
  putSecret(name: string, text: string): Promise<void>
  /** Deletes everything. */
  reset(): Promise<void>
}

const startTimeoutMilliseconds = 60_000
/** A shell's status for an unknown command. The pyenv shim of a missing command has the same status. */
const commandNotFound = 127

let started: Promise<MotoProcess> | undefined

/**
 * One process for all tests of a file.
 * @throws {MissingServerError} if it is not installed
 */
export async function startMoto(t: Pick<TestContext, 'after'>): Promise<Moto> {
  started ??= startProcess()
  const { endpoint } = await started
  const moto = createMoto(endpoint)
  await moto.reset()
  t.after(() => {
    moto.secretsManager.destroy()
    moto.parameterStore.destroy()
  })
  return moto
}

after(async () => {
  const running = await started?.catch(() => undefined)
  running?.stop()
})

function createMoto(endpoint: string): Moto {
  const environment = {
    AWS_ENDPOINT_URL: endpoint,
    AWS_REGION: 'eu-central-1',
    AWS_ACCESS_KEY_ID: 'testing',
    AWS_SECRET_ACCESS_KEY: 'testing',
    AWS_CONFIG_FILE: '/dev/null',
    AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
    AWS_EC2_METADATA_DISABLED: 'true',
  }
  const credentials = { accessKeyId: 'testing', secretAccessKey: 'testing' }
  const settings = { endpoint, credentials, region: environment.AWS_REGION }
  const secretsManager = new SecretsManagerClient(settings)
  const parameterStore = new SSMClient(settings)
  return {
    endpoint,
    environment,
    secretsManager,
    parameterStore,
    async putElements(elements, stage = 'local') {
      for (const [kind, byId] of Object.entries(withoutUndefined(elements)))
        for (const [id, element] of Object.entries(byId)) {
          const Name = `/tokenwell/${stage}/${kind}/${id}`
          const put = new PutParameterCommand({ Name, Value: JSON.stringify(element), Type: 'String', Overwrite: true })
          await parameterStore.send(put)
        }
    },
    async putSecret(name, text) {
      plant(text)
      await secretsManager.send(new CreateSecretCommand({ Name: name, SecretString: text }))
    },
    async reset() {
      const { ok } = await fetch(`${endpoint}/moto-api/reset`, { method: 'POST' })
      if (!ok) throw new Error('moto did not reset itself')
    },
  }
}

interface MotoProcess {
  readonly endpoint: string
  stop(): void
}

/** The shell ends moto when its input ends. That also happens if this process dies in any way. */
const untilInputEnds = 'moto_server -H 127.0.0.1 -p 0 </dev/null & moto=$!; (read -r _; kill $moto) <&3 & wait $moto'

async function startProcess(): Promise<MotoProcess> {
  const child = spawn('sh', ['-c', `exec 3<&0; ${untilInputEnds}`], { stdio: ['pipe', 'ignore', 'pipe'] })
  const stop = () => child.stdin.end()
  // The system gives moto a port that is free, and moto prints it once it listens.
  const endpoint = await readEndpoint(child).catch((error) => {
    stop()
    throw error
  })
  // This process can end even if no hook stops moto, for example after a failed hook: moto's input ends then.
  child.unref()
  for (const pipe of [child.stdin, child.stderr]) if (pipe instanceof Socket) pipe.unref()
  return { endpoint, stop }
}

function readEndpoint(child: ChildProcessByStdio<Writable, null, Readable>): Promise<string> {
  return new Promise((resolve, reject) => {
    let said = ''
    const timer = setTimeout(() => reject(new Error(`moto does not start: ${said}`)), startTimeoutMilliseconds)
    // Moto writes a line for each request. An unread pipe would block it.
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      said = (said + text).slice(-2_000)
      const [, endpoint] = /Running on (http:\S+)/.exec(said) ?? []
      if (endpoint !== undefined) end(() => resolve(endpoint))
    })
    child.on('error', (error: NodeJS.ErrnoException) => end(() => reject(error.code === 'ENOENT' ? missing() : error)))
    child.on('exit', (code) =>
      end(() => reject(code === commandNotFound ? missing() : new Error(`moto has ended: ${said}`))),
    )
    function end(settle: () => void) {
      clearTimeout(timer)
      settle()
    }
  })
}

function missing(): MissingServerError {
  return new MissingServerError("moto_server is not installed. Install it with: pip install 'moto[server]'")
}
