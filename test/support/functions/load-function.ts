import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { TestContext } from 'node:test'
import type { Context } from 'aws-lambda'
import type { ServerCertificate } from '../../../infra/local/certificate-authority.ts'
import { prepareSecrets, trust, type Workspace } from '../../../infra/local/workspace.ts'
import type { FunctionFolder } from '../../../infra/stack/function-table.ts'
import { type RawElements, withoutUndefined } from '../elements/elements.ts'
import { temporaryFolder } from '../process/temporary-folder.ts'

/* Loads and calls a function without the test runner, which slows down code that waits. */

export type Handler = (event: unknown, context: Context) => Promise<unknown>

export interface HttpRequest {
  readonly method: string
  readonly path: string
  readonly query?: string
  readonly headers?: Record<string, string>
  readonly body?: string | Buffer
  readonly authorizer?: object
  /** `$default` if left out. */
  readonly stage?: string | undefined
}

/** Secrets that the test provides, by their names below the stage. The other ones are generated. */
export type GivenSecrets = Readonly<Record<string, string | Buffer>>

/** A folder with these elements, and with every secret that they name, which no canary looks for. */
export async function createBareWorkspace(
  t: Pick<TestContext, 'after'>,
  elements: RawElements,
  certificate?: ServerCertificate,
  secrets: GivenSecrets = {},
): Promise<Workspace> {
  const folder = await temporaryFolder(t)
  const workspace: Workspace = {
    elementsPath: join(folder, 'elements.json'),
    secretsFolder: join(folder, 'secrets'),
    deployment: { stage: 'local', publicUrl: 'https://tokenwell.example', isLambda: false },
  }
  await writeFile(workspace.elementsPath, JSON.stringify(withoutUndefined(elements)))
  for (const [name, content] of Object.entries(secrets)) await writeSecret(workspace, name, content)
  await prepareSecrets(workspace, () => true)
  if (certificate) await trust(workspace, certificate)
  return workspace
}

/** Stores a secret, or replaces it. */
export async function writeSecret({ secretsFolder }: Workspace, name: string, content: string | Buffer): Promise<void> {
  await mkdir(secretsFolder, { recursive: true })
  await writeFile(join(secretsFolder, name), content)
}

let loaded = 0

/**
 * Loads the function with the product's own wiring, anew for each call, because it reads its environment when it loads.
 */
export async function loadFunction(
  name: FunctionFolder,
  workspace: Workspace,
  environment: Record<string, string> = {},
): Promise<Handler> {
  const before = { ...process.env }
  Object.assign(process.env, environmentOf(workspace), environment)
  const { handler }: { handler: Handler } = await import(`../../../functions/${name}/index.ts?load=${loaded++}`)
  for (const name of Object.keys(process.env)) if (!(name in before)) delete process.env[name]
  Object.assign(process.env, before)
  return handler
}

/** The environment variables of a function that uses this workspace. */
export function environmentOf({ elementsPath, secretsFolder, deployment }: Workspace): Record<string, string> {
  return {
    TOKENWELL_STAGE: deployment.stage,
    TOKENWELL_PUBLIC_URL: deployment.publicUrl,
    TOKENWELL_ELEMENTS: elementsPath,
    TOKENWELL_SECRETS: secretsFolder,
    TOKENWELL_CACHE: 'memory',
    TOKENWELL_PUBLICATION_KEY: join(dirname(secretsFolder), 'publication-key.pem'),
    POWERTOOLS_LOG_LEVEL: 'SILENT',
    POWERTOOLS_METRICS_DISABLED: 'true',
  }
}

/** An event as an HTTP API sends it: payload format 2.0, forms in base64. */
export function createHttpEvent({
  method,
  path,
  query = '',
  headers = {},
  body,
  authorizer,
  stage = '$default',
}: HttpRequest): object {
  const isText = /^(text\/|application\/json)/.test(headers['content-type'] ?? '')
  return {
    version: '2.0',
    routeKey: '$default',
    rawPath: path,
    rawQueryString: query,
    headers,
    requestContext: {
      http: { method, path },
      requestId: 'the-request',
      stage,
      ...(authorizer && { authorizer }),
    },
    ...(body !== undefined && { body: isText ? body.toString() : Buffer.from(body).toString('base64') }),
    isBase64Encoded: body !== undefined && !isText,
  }
}

/** `POST /connections/{connection}/token` with a form. */
export function tokenRequest(connection: string, form: string | Buffer = '', query = ''): HttpRequest {
  return {
    method: 'POST',
    path: `/connections/${connection}/token`,
    query,
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    ...(form !== '' && { body: form }),
  }
}
