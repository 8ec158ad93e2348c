import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Context, SQSBatchResponse, SQSEvent } from 'aws-lambda'
import type { LambdaHandler } from './http-gateway.ts'
import type { Workspace } from './workspace.ts'

/** The functions of this run, each as Lambda calls it. */
export interface LocalFunctions {
  readonly issueToken: LambdaHandler
  readonly callApi: LambdaHandler
  readonly warmTokens: (event: object, context: Context) => Promise<unknown>
  readonly refreshToken: (event: SQSEvent, context: Context) => Promise<SQSBatchResponse>
  readonly publishKeys: LambdaHandler
  readonly rotateKey: (event: object, context: Context) => Promise<void>
}

const functionsFolder = join(import.meta.dirname, '..', '..', 'functions')

/** The very files that Lambda runs, told by environment variables as on Lambda; what they raise is heard in this process. */
export async function loadFunctions(
  { deployment }: Workspace,
  ground: Readonly<Record<string, string>>,
): Promise<LocalFunctions> {
  Object.assign(process.env, ground, {
    TOKENWELL_STAGE: deployment.stage,
    TOKENWELL_PUBLIC_URL: deployment.publicUrl,
    TOKENWELL_EVENTS: 'process',
    POWERTOOLS_METRICS_DISABLED: 'true',
    POWERTOOLS_LOG_LEVEL: process.env['POWERTOOLS_LOG_LEVEL'] ?? 'SILENT',
  })
  return {
    issueToken: await load('issue-token'),
    callApi: await load('call-api'),
    warmTokens: await load('warm-tokens'),
    refreshToken: await load('refresh-token'),
    publishKeys: await load('publish-keys'),
    rotateKey: await load('rotate-key'),
  }
}

async function load<Handler>(name: string): Promise<Handler> {
  const { handler }: { handler: Handler } = await import(pathToFileURL(join(functionsFolder, name, 'index.ts')).href)
  return handler
}
