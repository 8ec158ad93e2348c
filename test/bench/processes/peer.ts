import { createPrivateKey } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { SetUp, Signing } from '../peers/peer.ts'

/** Prints the one token of a process. The key is read only if the client asks for it. */
export async function printToken(setUp: SetUp): Promise<void> {
  const [issuer = '', keyPath = ''] = process.argv.slice(2)
  const signing = async (): Promise<Signing> => ({
    algorithm: 'ES256',
    key: createPrivateKey(readFileSync(keyPath, 'utf8')).toCryptoKey({ name: 'ECDSA', namedCurve: 'P-256' }, false, [
      'sign',
    ]),
  })
  const peer = await setUp(issuer, signing)
  process.stdout.write(String(await peer.newToken()))
  process.exit()
}
