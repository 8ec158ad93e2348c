import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import type { TestContext } from 'node:test'
import { copyToEmulator } from '../../../infra/local/stores.ts'
import type { Workspace } from '../../../infra/local/workspace.ts'
import type { LogEvent } from '../../../lib/log/log-event.ts'
import { plant, plantSecrets } from '../output/canary.ts'
import { setEnvironment } from '../process/this-process.ts'
import { startMoto } from '../servers/moto.ts'
import { startIfThere } from '../servers/real-server.ts'
import type { LambdaInstance } from './lambda-instance.ts'

export type Environment = Readonly<Record<string, string>>

/** Undefined if moto is not installed. */
export async function startAwsForLambda(t: TestContext) {
  const moto = await startIfThere(t, () => startMoto(t))
  if (!moto) return undefined
  setEnvironment(t, moto.environment)
  return {
    moto,
    /** Copies the elements and secrets to AWS. Returns the environment variables of a function that uses them. */
    async move(workspace: Workspace): Promise<Environment> {
      const { environment } = await copyToEmulator(workspace)
      plantSecrets(workspace.secretsFolder)
      const { stage, publicUrl } = workspace.deployment
      const role = roleCredentials()
      return { ...moto.environment, ...role, ...environment, TOKENWELL_STAGE: stage, TOKENWELL_PUBLIC_URL: publicUrl }
    },
  }
}

/** Credentials of the function's role. The function signs its calls to AWS with them. */
function roleCredentials(): Environment {
  const [secret, session] = [randomBytes(30).toString('base64url'), randomBytes(90).toString('base64url')]
  plant(secret)
  plant(session)
  return { AWS_ACCESS_KEY_ID: 'ASIAIOSFODNN7EXAMPLE', AWS_SECRET_ACCESS_KEY: secret, AWS_SESSION_TOKEN: session }
}

/** The instance's lines on standard output. Throws if one of them is not JSON. */
export function linesOf(instance: LambdaInstance): Readonly<Record<string, unknown>>[] {
  const lines = instance.output().split('\n').filter(Boolean)
  return lines.map((line) => JSON.parse(line))
}

/** The whole catalogue. The compiler reports a missing event. */
const catalogue: Readonly<Record<LogEvent['event'], true>> = {
  connection_resolved: true,
  server_discovered: true,
  discovery_failed: true,
  token_endpoint_on_new_host: true,
  metadata_differs: true,
  client_authenticated: true,
  token_signed: true,
  token_obtained: true,
  token_request_failed: true,
  token_request_refused: true,
  answer_member_left_out: true,
  token_issued: true,
  token_request_repeated: true,
  cool_down_begun: true,
  cool_down_ended: true,
  clock_offset_learned: true,
  newer_secret_found: true,
  previous_key_tried: true,
  reload_failed: true,
  cache_passed_over: true,
  record_not_taken: true,
  record_not_authentic: true,
  cached_token_unreadable: true,
  renewal_failed: true,
  event_not_raised: true,
  warm_run_ended: true,
  clearing_skipped: true,
  event_answered: true,
  event_failed: true,
  dead_letter_not_taken: true,
  elements_planned: true,
  elements_written: true,
  elements_not_written: true,
  rotation_step_done: true,
  rotation_failed: true,
  keys_published: true,
  key_revoked: true,
  publication_failed: true,
  publication_refused: true,
  secret_expiry_checked: true,
  secret_date_noticed: true,
  api_called: true,
  api_call_failed: true,
  api_host_refused: true,
  api_call_repeated: true,
  api_call_without_token: true,
  api_header_left_out: true,
  request_failed: true,
}

/** @returns the logged events, in order */
export function assertCatalogued(
  lines: readonly Readonly<Record<string, unknown>>[],
  invocations: readonly { readonly requestId: string }[],
): unknown[] {
  const requestIds = invocations.map(({ requestId }) => requestId)
  const events = lines.filter((line) => !('_aws' in line))
  for (const line of events) {
    assert.ok(Object.hasOwn(catalogue, String(line['message'])), JSON.stringify(line))
    assert.ok(requestIds.includes(String(line['requestId'])), JSON.stringify(line))
  }
  return events.map(({ message }) => message)
}
