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

/** Since the last change of settings. */
export interface FarEndCounts {
  readonly requests: number
  readonly repeatedAssertions: number
}

/** A token endpoint over TLS, in a process of its own. */
export interface FarEnd {
  readonly issuer: string
  readonly certificate: ServerCertificate
  /** A file with the CA's certificate, for NODE_EXTRA_CA_CERTS. */
  readonly caPath: string
  /** Counts from 0 again. */
  set(settings: Partial<FarEndSettings>): Promise<void>
  counts(): Promise<FarEndCounts>
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
    counts: () => ask<FarEndCounts>(child, { count: true }),
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
