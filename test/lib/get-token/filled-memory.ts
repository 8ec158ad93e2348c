import { createHash } from 'node:crypto'
import { getHeapSnapshot } from 'node:v8'
import type { CallerRequest } from '../../../lib/access-token/token.ts'
import { createApplication } from '../../../lib/application/application.ts'
import { readEnvironment } from '../../../lib/application/environment.ts'
import { openPorts } from '../../../lib/application/open-ports.ts'
import { tokenTypesByShortName } from '../../../lib/configuration/grant-type.ts'
import { Secret } from '../../../lib/secret/secret.ts'
import type { TokenEndpoint } from '../../../lib/token-endpoint/token-endpoint.ts'
import { exampleElements } from '../../support/elements/elements.ts'
import { createBareWorkspace, environmentOf } from '../../support/functions/load-function.ts'

/*
 * A process with the whole of get-token, wired as on one machine, that fills its memory: `node filled-memory.ts tokens`, `passwords` or
 * `exchanges`. It prints its findings.
 */

const [, , what = ''] = process.argv
const tokens = 3_000
const cleanUps: (() => unknown)[] = []

async function createTokens(post: TokenEndpoint['post'], grantType: string) {
  const elements = exampleElements('https://as.example.com', { oAuth: { grantType } })
  const workspace = await createBareWorkspace(
    { after: (cleanUp: () => unknown) => void cleanUps.push(cleanUp) },
    elements,
  )
  const ports = openPorts(readEnvironment(environmentOf(workspace)))
  return createApplication({ ...ports, tokenEndpoint: { post }, log() {} })
}

async function fillWithTokens(): Promise<object> {
  let issued = 0
  const answer = async () => {
    const accessToken = `${issued++}-`.padEnd(60 * 1024, 'x')
    return { status: 200, body: JSON.stringify({ access_token: accessToken, token_type: 'Bearer', expires_in: 3600 }) }
  }
  const application = await createTokens(answer, 'client_credentials')
  const ask = async (scope: string) =>
    (
      await application.getToken(
        { caller: 'direct', connection: 'conn', scope: [scope], further: {} },
        Date.now() + 25_000,
      )
    ).source
  for (let index = 0; index < tokens; index++) await ask(`scope-${index}`)
  return { issued, last: await ask(`scope-${tokens - 1}`), first: await ask('scope-0') }
}

/** A text that is nowhere else in this process. */
function passwordOf(number: number): string {
  return createHash('sha256').update(`password ${number}`).digest('hex')
}

/** What only the caller of a request has. */
const secretsOf = {
  passwords: (index: number) => ({ username: `user-${index}`, password: new Secret(passwordOf(index)) }),
  exchanges: (index: number) => ({
    subjectToken: { token: new Secret(passwordOf(index)), type: tokenTypesByShortName.access_token },
  }),
} as const

async function fillWithSecrets(kind: keyof typeof secretsOf): Promise<object> {
  let asked = 0
  const answer = async () => {
    if (asked % 2) return { status: 400, body: '{"error":"invalid_grant"}' }
    const body = { access_token: `token-${asked}`, token_type: 'Bearer', expires_in: 3600 }
    return { status: 200, body: JSON.stringify(body) }
  }
  const application = await createTokens(answer, kind === 'passwords' ? 'password' : 'token-exchange')
  for (let index = 0; index <= 20; index++) {
    asked++
    const request: CallerRequest = {
      caller: 'direct',
      connection: 'conn',
      further: {},
      ...secretsOf[kind](index),
    }
    await application.getToken(request, Date.now() + 25_000).catch(() => {})
  }
  const heap = await readHeap()
  const found = Array.from({ length: 20 }, (_, index) => passwordOf(index)).filter((each) => heap.includes(each))
  return { asked, tokens: heap.split('token-').length > 10, found: found.length }
}

/** All reachable texts of the heap. */
async function readHeap(): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of getHeapSnapshot()) chunks.push(Buffer.from(chunk))
  return Buffer.concat(chunks).toString('latin1')
}

console.log(
  JSON.stringify(
    await (what === 'tokens' ? fillWithTokens() : fillWithSecrets(what === 'exchanges' ? what : 'passwords')),
  ),
)
for (const cleanUp of cleanUps) await cleanUp()
