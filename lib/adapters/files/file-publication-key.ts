import { createPrivateKey, createPublicKey, type KeyObject, sign } from 'node:crypto'
import { link, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { promisify } from 'node:util'
import { createLazy } from '../../base/single-flight.ts'
import { PublicationKeyError, type PublicationSigner } from '../../key-lifecycle/publication-key.ts'
import { generateKey } from '../../signing/key-algorithm.ts'
import { randomId } from '../process/clock.ts'

const signInThreadPool = promisify(sign)

/** The key for publications as a PEM file (PKCS #8), for the processes of one machine. The first process that uses it makes it. */
export function filePublicationKey(path: string): PublicationSigner {
  const pair = createLazy(() => readOrMake(path))
  return {
    publicKey: async () => createPublicKey(await pair.get()),
    sign: async (bytes) => await signInThreadPool('sha256', bytes, await pair.get()),
  }
}

async function readOrMake(path: string): Promise<KeyObject> {
  try {
    return readKey((await readText(path)) ?? (await make(path)))
  } catch (error) {
    const { code = 'not a P-256 private key' } = error as NodeJS.ErrnoException
    throw new PublicationKeyError(
      `The key for publications cannot be read (${code}). Delete ${path}, and Tokenwell makes a new key.`,
    )
  }
}

/** If two processes make a key at the same time, both use the first one. */
async function make(path: string): Promise<string> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 })
  const unfinished = `${path}.unfinished-${randomId()}`
  const made = generateKey('ES256', 0).export({ type: 'pkcs8', format: 'pem' })
  await writeFile(unfinished, made, { mode: 0o600 })
  await link(unfinished, path).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error
  })
  await rm(unfinished)
  return await readFile(path, 'utf8')
}

function readKey(pem: string): KeyObject {
  const key = createPrivateKey(pem)
  if (key.asymmetricKeyDetails?.namedCurve !== 'prime256v1') throw new Error('The key is not on the curve P-256.')
  return key
}

async function readText(path: string): Promise<string | undefined> {
  return await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error
    return undefined
  })
}
