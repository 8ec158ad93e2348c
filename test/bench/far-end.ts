import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createServerCertificate, type ServerCertificate } from '../../infra/local/certificate-authority.ts'

/** How the token endpoint answers. */
export interface FarEndSettings {
  readonly latencyMilliseconds: number
  /** Seconds. */
  readonly expiresIn: number
}

/** Counts since the last change of settings. */
export interface FarEndCounts {
  readonly requests: number
  readonly repeatedAssertions: number
}

/** A token that the token endpoint issued. */
export interface IssuedToken {
  /** The path of the URL that it was requested at. */
  readonly path: string
  /** Its first letters, enough to tell it from all others: see `startOf`. */
  readonly start: string
  /** Milliseconds since the epoch. */
  readonly expiresAt: number
}

const startLength = 24

export function startOf(token: string): string {
  return token.slice(0, startLength)
}

/** A token endpoint over TLS at each path, in its own process. */
export interface FarEnd {
  readonly issuer: string
  readonly certificate: ServerCertificate
  /** A file with the CA's certificate, for NODE_EXTRA_CA_CERTS. */
  readonly caPath: string
  /** Changes settings and resets the counts. */
  set(settings: Partial<FarEndSettings>): Promise<void>
  counts(): Promise<FarEndCounts>
  /** The tokens issued since the last change of settings. */
  issued(): Promise<readonly IssuedToken[]>
  close(): Promise<void>
}

export async function startFarEnd(): Promise<FarEnd> {
  const certificate = await createServerCertificate(['localhost'])
  const folder = await mkdtemp(join(tmpdir(), 'tokenwell-bench-'))
  const caPath = join(folder, 'ca.pem')
  await writeFile(caPath, certificate.caCertificate)
  const child = fork(join(import.meta.dirname, 'far-end-process.ts'))
  const port = await ask<number>(child, { start: certificate })
  return {
    issuer: `https://localhost:${port}`,
    certificate,
    caPath,
    async set({ latencyMilliseconds = 0, expiresIn = 3_600 }) {
      await ask(child, { settings: { latencyMilliseconds, expiresIn } })
    },
    counts: () => ask<FarEndCounts>(child, { tell: 'counts' }),
    issued: () => ask<readonly IssuedToken[]>(child, { tell: 'issued' }),
    async close() {
      child.kill()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

async function ask<Answer>(child: ChildProcess, message: object): Promise<Answer> {
  child.send(message)
  const [answer] = await once(child, 'message')
  return answer
}
