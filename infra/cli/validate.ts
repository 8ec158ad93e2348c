import { join } from 'node:path'
import type { Command } from 'commander'
import { inspectMetadata } from '../../lib/application/inspect-metadata.ts'
import { inspectSecrets } from '../../lib/application/inspect-secrets.ts'
import { openElements } from '../../lib/application/open-adapters.ts'
import { openKeyService } from '../../lib/application/open-key-service.ts'
import { openSecrets, type SecretsPlace } from '../../lib/application/open-store.ts'
import { describeFinding, type Finding } from '../../lib/configuration/finding.ts'
import { listConnections, validateElements, withUnreadable } from '../../lib/configuration/inspect-elements.ts'
import { demandRegion } from './aws-region.ts'
import { printApi } from './print-api.ts'
import { checkPublicSuffixes } from './public-suffixes.ts'

interface ValidateOptions {
  readonly stage?: string
  readonly publicUrl: string
  readonly secrets: boolean
  readonly secretsFolder?: string
  readonly discover: boolean
  readonly api?: string
  readonly json: boolean
}

/** `tokenwell validate`: prints every mistake and warning of all elements at once. Its exit code is 1 if there is a mistake. */
export function addValidate(program: Command): void {
  program
    .command('validate')
    .description('Lists every mistake and every warning of all elements. The exit code is 1 if there is a mistake.')
    .argument('[elements]', 'a JSON file or a folder; without it, the elements of the stage in Parameter Store')
    .option('--stage <stage>', 'the stage, a part of the names of secrets and parameters (default: "local")')
    .option('--public-url <url>', "Tokenwell's URL, a part of the default issuer", 'https://tokenwell.invalid')
    .option('--secrets', 'also reads keys, passwords and certificates, and sends nothing', false)
    .option('--secrets-folder <folder>', 'the same with the secrets in this folder')
    .option('--discover', 'also reads what the servers and APIs publish about themselves, and sends no secret', false)
    .option('--api <url>', 'prints what the API at this URL says about itself (RFC 9728), and proposes elements')
    .option('--json', 'prints the findings as JSON', false)
    .action(validate)
}

async function validate(path: string | undefined, options: ValidateOptions, command: Command): Promise<void> {
  if (options.api !== undefined) return await printApi(options.api, options, command)
  if (path === undefined && options.stage === undefined)
    command.error(
      'Name a file, a folder or a stage, for example: tokenwell validate elements, or tokenwell validate --stage prod',
    )
  if (readsFromAws(path, options)) await demandRegion(command)
  const findings = await withUnreadable(() => findAll(path, options))
  const count = (severity: Finding['severity']) => findings.filter((finding) => finding.severity === severity).length
  if (options.json) console.log(JSON.stringify(findings, undefined, 2))
  else {
    for (const finding of findings) console.log(`${finding.severity.padEnd(8)} ${describeFinding(finding)}`)
    const place = path ?? `/tokenwell/${options.stage}`
    console.log(`${place}: mistakes: ${count('mistake')}, warnings: ${count('warning')}`)
  }
  if (count('mistake') > 0) process.exitCode = 1
}

async function findAll(path: string | undefined, options: ValidateOptions): Promise<readonly Finding[]> {
  const { stage = 'local', publicUrl } = options
  const elements = openElements(path === undefined ? { kind: 'parameter_store' } : { kind: 'files', path }, stage)
  const deployment = { stage, publicUrl, isLambda: stage !== 'local' }
  const found = [...(await validateElements(elements, deployment)), ...(await checkPublicSuffixes(elements))]
  if (!readsSecrets(options)) return found
  const place = secretsPlace(stage, options)
  const secrets = openSecrets(place, stage)
  const listed = await listConnections(elements, deployment)
  return [
    ...found,
    ...(checksSecrets(options) ? await inspectSecrets(listed, secrets, openKeyService(place), Date.now()) : []),
    ...(options.discover ? await inspectMetadata(listed, secrets) : []),
  ]
}

function checksSecrets({ secrets, secretsFolder }: ValidateOptions): boolean {
  return secrets || secretsFolder !== undefined
}

/** Servers are reached by the trust stores and client certificates of their elements. */
function readsSecrets(options: ValidateOptions): boolean {
  return checksSecrets(options) || options.discover
}

function readsFromAws(path: string | undefined, options: ValidateOptions): boolean {
  if (path === undefined) return true
  return readsSecrets(options) && secretsPlace(options.stage ?? 'local', options).kind === 'secrets_manager'
}

/** The secrets of the stage `local` are files. */
function secretsPlace(stage: string, { secretsFolder }: ValidateOptions): SecretsPlace {
  if (secretsFolder === undefined && stage !== 'local') return { kind: 'secrets_manager' }
  return { kind: 'files', folder: secretsFolder ?? join('.tokenwell', 'secrets') }
}
