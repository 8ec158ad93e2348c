import { createHash } from 'node:crypto'
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { isNameOfSecret, secretPrefix } from '../../configuration/deployment.ts'
import type { RotatingSecret, SecretRotation, VersionLabels } from '../../key-lifecycle/rotating-secret.ts'
import { Secret, secretText } from '../../secret/secret.ts'
import { SecretError, type SecretStore } from '../../secret/secret-store.ts'

/** Secrets as files in one folder. The secret `tokenwell/<stage>/<name>` is the file `<name>`. A file has one version. */
export function fileSecrets(folder: string, stage: string): SecretStore {
  return {
    async get(name) {
      const path = secretPath(folder, stage, name)
      const text = secretText(await readSecret(name, path))
      if (text === undefined)
        throw new SecretError('secret_unreadable', `The secret ${name} is not text. Store it in ${path} as UTF-8.`)
      return new Secret(text)
    },
    getPrevious: () => Promise.resolve(undefined),
  }
}

async function readSecret(name: string, path: string): Promise<Buffer> {
  try {
    return await readFile(path)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT')
      throw new SecretError('secret_missing', `The secret ${name} does not exist. Create the file ${path}.`)
    throw new SecretError(
      'secret_denied',
      `The secret ${name} cannot be read (${code}). Check that ${path} is a readable file.`,
    )
  }
}

/** @throws {SecretError} if the name is not a secret name of this stage. So no file outside the folder is ever read. */
export function secretPath(folder: string, stage: string, name: string): string {
  const prefix = secretPrefix({ stage })
  if (!isNameOfSecret(name, prefix))
    throw new SecretError('secret_denied', `The name of a secret must begin with ${prefix}.`)
  return join(folder, name.slice(prefix.length))
}

/** A version that this process made current. It counts as long as the file still contains its text. */
interface FinishedVersion {
  readonly version: string
  readonly digest: string
}

/**
 * The rotation of secrets in a folder, for the single process of a local run. The pending version of a secret is the file
 * `<name>.pending-<version>` beside it, and becomes current by a rename. Any other version is named by the digest of its text.
 */
export function fileRotation(folder: string, stage: string): SecretRotation {
  const finished = new Map<string, FinishedVersion>()
  return {
    async open(name) {
      return describingFailures(name, rotatingFile(secretPath(folder, stage, name), finished))
    },
  }
}

function describingFailures(name: string, file: RotatingSecret): RotatingSecret {
  const attempt = <T>(doing: Promise<T>) =>
    doing.catch(({ code }: NodeJS.ErrnoException) => {
      throw new SecretError(
        'secret_denied',
        `The secret ${name} cannot be rotated (${code}). Check the permissions of its folder.`,
      )
    })
  return {
    labels: () => attempt(file.labels()),
    read: (version) => attempt(file.read(version)),
    putPending: (version, text) => attempt(file.putPending(version, text)),
    makeCurrent: (version, before) => attempt(file.makeCurrent(version, before)),
    giveUp: (version) => attempt(file.giveUp(version)),
  }
}

function rotatingFile(path: string, finished: Map<string, FinishedVersion>): RotatingSecret {
  const pendingPath = (version: string) => `${path}${pendingMark}${version}`

  async function labels(): Promise<VersionLabels> {
    const [text, [pending]] = await Promise.all([readText(path), pendingVersions(path)])
    const known = finished.get(path)
    const current = text === undefined ? undefined : digestOf(text)
    return {
      ...(current !== undefined && { current: known?.digest === current ? known.version : current }),
      ...(pending !== undefined && { pending }),
    }
  }

  return {
    labels,
    async read(version) {
      const text = await readText((await labels()).current === version ? path : pendingPath(version))
      return text === undefined ? undefined : new Secret(text)
    },
    async putPending(version, text) {
      const there = await readText(pendingPath(version))
      if (there !== undefined) return new Secret(there).equals(text)
      await mkdir(dirname(path), { recursive: true, mode: 0o700 })
      // A half written file has a name that is never read.
      const unfinished = `${path}.unfinished-${version}`
      await writeFile(unfinished, text.reveal(), { mode: 0o600 })
      await rename(unfinished, pendingPath(version))
      const others = (await pendingVersions(path)).filter((other) => other !== version)
      await Promise.all(others.map((other) => rm(pendingPath(other), { force: true })))
      return true
    },
    async makeCurrent(version, before) {
      const { current } = await labels()
      if (current === version || current !== before) return current === version
      const digest = digestOf(await readFile(pendingPath(version), 'utf8'))
      await rename(pendingPath(version), path)
      finished.set(path, { version, digest })
      return true
    },
    giveUp: (version) => rm(pendingPath(version), { force: true }),
  }
}

export const pendingMark = '.pending-'

/** The pending versions, the newest first. Only the newest one has the label. */
async function pendingVersions(path: string): Promise<string[]> {
  const prefix = `${basename(path)}${pendingMark}`
  const names = await readdir(dirname(path)).catch(emptyIfMissing)
  const found = names.filter((name) => name.startsWith(prefix))
  const dated = await Promise.all(
    found.map(async (name) => ({ name, at: (await stat(join(dirname(path), name))).mtimeMs })),
  )
  return dated.sort((a, b) => b.at - a.at).map(({ name }) => name.slice(prefix.length))
}

async function readText(path: string): Promise<string | undefined> {
  return readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error
    return undefined
  })
}

function emptyIfMissing(error: NodeJS.ErrnoException): string[] {
  if (error.code !== 'ENOENT') throw error
  return []
}

function digestOf(text: string): string {
  return createHash('sha256').update(text).digest('base64url')
}
