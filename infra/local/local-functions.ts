import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Context, SQSBatchResponse, SQSEvent } from 'aws-lambda'
import { type FunctionId, functionIds, functionTable } from '../stack/function-table.ts'
import type { LambdaHandler } from './http-gateway.ts'
import type { Workspace } from './workspace.ts'

interface Handlers {
  readonly 'http-api': LambdaHandler
  readonly schedule: (event: object, context: Context) => Promise<unknown>
  readonly queue: (event: SQSEvent, context: Context) => Promise<SQSBatchResponse>
  readonly 'secrets-manager': (event: object, context: Context) => Promise<void>
}

/** The handlers of the functions, with the signatures that Lambda calls. */
export type LocalFunctions = {
  readonly [Id in FunctionId]: Handlers[(typeof functionTable)[Id]['invoker']]
}

const functionsFolder = join(import.meta.dirname, '..', '..', 'functions')

/**
 * Loads the files that Lambda runs, configured by environment variables as on Lambda. Events that they raise are published in this
 * process.
 * @param stores the environment variables that say where elements, secrets and tokens are
 */
export async function loadFunctions(
  { deployment }: Workspace,
  stores: Readonly<Record<string, string>>,
): Promise<LocalFunctions> {
  Object.assign(process.env, stores, {
    TOKENWELL_STAGE: deployment.stage,
    TOKENWELL_PUBLIC_URL: deployment.publicUrl,
    TOKENWELL_EVENTS: 'process',
    POWERTOOLS_METRICS_DISABLED: 'true',
    POWERTOOLS_LOG_LEVEL: process.env['POWERTOOLS_LOG_LEVEL'] ?? 'SILENT',
  })
  const functions: Record<string, unknown> = {}
  for (const id of functionIds) functions[id] = await loadHandler(functionTable[id].name)
  return functions as unknown as LocalFunctions
}

async function loadHandler(name: string): Promise<unknown> {
  const { handler }: { handler: unknown } = await import(pathToFileURL(join(functionsFolder, name, 'index.ts')).href)
  return handler
}
