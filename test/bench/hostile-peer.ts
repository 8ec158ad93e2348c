import { inspect } from 'node:util'
import type { ServerCertificate } from '../../infra/local/certificate-authority.ts'
import { exampleElements } from '../support/elements/elements.ts'
import { createWorkspace, startCaller } from '../support/functions/function-caller.ts'
import { tokenRequest } from '../support/functions/load-function.ts'
import { confineToLoopback } from '../support/process/this-process.ts'
import { createPeer, peerSecrets, timeLimitMilliseconds } from './peers.ts'

/*
 * A process for one client of `hostile.ts`. It asks the client for one token after the other, and may be ended at any
 * time.
 */

export interface HostileTask {
  readonly issuer: string
  readonly certificate: ServerCertificate
  readonly form: string
}

export interface Finding {
  readonly came: 'token' | 'unfit token' | 'neither token nor error' | 'error'
  /** Everything that its error shows. */
  readonly shown: string
  readonly secrets: readonly string[]
  /** The hosts other than this machine that it tried to connect to. */
  readonly tried: readonly string[]
}

const tried = confineToLoopback()
const [name = ''] = process.argv.slice(2)

/** A new client each time, so that it has no token yet. */
async function askForToken(task: HostileTask): Promise<unknown> {
  if (name === 'Tokenwell') return askTokenwell(task)
  return (await createPeer(name, task.issuer, 'ES256')).newToken()
}

async function askTokenwell({ issuer, certificate, form }: HostileTask): Promise<unknown> {
  const half = `${timeLimitMilliseconds / 2}ms`
  const cleanUps: (() => unknown)[] = []
  const t = { after: (cleanUp: () => unknown) => void cleanUps.push(cleanUp) }
  try {
    const changes = {
      server: { connectionTimeout: half, receiveTimeout: half },
      builder: { signatureAlgorithm: 'ES256' },
    }
    const workspace = await createWorkspace(t, exampleElements(issuer, changes), certificate)
    const { status, body } = await (await startCaller(workspace)).http(tokenRequest('conn', form))
    if (status !== 200) throw new Error(JSON.stringify(body))
    return body['access_token']
  } finally {
    for (const cleanUp of cleanUps) await cleanUp()
  }
}

async function find(task: HostileTask): Promise<Finding> {
  const before = tried.length
  const found = await askForToken(task).then(
    (token) => ({ came: judge(token), shown: '' }),
    (error: unknown) => ({ came: 'error' as const, shown: inspect(error, { depth: 10, maxStringLength: 100_000 }) }),
  )
  return { ...found, secrets: peerSecrets, tried: tried.slice(before) }
}

/** RFC 6750 section 2.1: a token is fit if an Authorization header can hold it. */
function judge(token: unknown): Finding['came'] {
  if (token === undefined || token === null || token === '') return 'neither token nor error'
  return typeof token === 'string' && /^[\x21-\x7e]+$/.test(token) ? 'token' : 'unfit token'
}

process.on('message', (task: HostileTask) => {
  void find(task).then((finding) => process.send?.(finding))
})
process.on('unhandledRejection', () => {})
process.on('uncaughtException', () => {})
process.send?.('ready')
