import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { inspectSecrets } from '../lib/application/inspect-secrets.ts'
import { type ElementsPlace, openElements } from '../lib/application/open-adapters.ts'
import { openSecrets, type SecretsPlace } from '../lib/application/open-store.ts'
import type { ElementStore } from '../lib/configuration/element-store.ts'
import { ElementStoreError } from '../lib/configuration/element-store.ts'
import { ConfigurationError, describeFinding, type Finding } from '../lib/configuration/finding.ts'
import { listConnections, validateElements } from '../lib/configuration/inspect-elements.ts'

/*
 * npm run validate -- [<file or folder>] [--stage <stage>] [--public-url <url>] [--secrets] [--secrets-folder <folder>]
 * Without a file or folder it checks the elements of that stage in Parameter Store.
 * With --secrets it also reads keys, passwords and certificates: from Secrets Manager for a stage, from the folder .tokenwell/secrets
 * for the stage local, or from the folder that --secrets-folder names. It sends nothing to an authorization server.
 * It prints every mistake and warning of all elements at once. Its exit code is 1 if there is a mistake.
 */
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    stage: { type: 'string' },
    'public-url': { type: 'string', default: 'https://tokenwell.invalid' },
    secrets: { type: 'boolean', default: false },
    'secrets-folder': { type: 'string' },
  },
})
const [path] = positionals
const { stage = 'local' } = values
if (path === undefined && values.stage === undefined) {
  console.error(
    'Name a file, a folder or a stage: npm run validate -- infra/local/elements.json, or npm run validate -- --stage prod',
  )
  process.exit(1)
}
const place: ElementsPlace = path === undefined ? { kind: 'parameter_store' } : { kind: 'files', path }

const secretsPlace: SecretsPlace =
  values['secrets-folder'] === undefined && stage !== 'local'
    ? { kind: 'secrets_manager' }
    : { kind: 'files', folder: values['secrets-folder'] ?? join('.tokenwell', 'secrets') }

const findings = await findAll(openElements(place, stage))
const count = (severity: Finding['severity']) => findings.filter((finding) => finding.severity === severity).length
for (const finding of findings) console.log(`${finding.severity.padEnd(8)} ${describeFinding(finding)}`)
console.log(`${path ?? `/tokenwell/${stage}`}: mistakes: ${count('mistake')}, warnings: ${count('warning')}`)
process.exitCode = count('mistake') > 0 ? 1 : 0

async function findAll(elements: ElementStore): Promise<readonly Finding[]> {
  const deployment = { stage, publicUrl: values['public-url'], isLambda: stage !== 'local' }
  try {
    const found = await validateElements(elements, deployment)
    if (!values.secrets && values['secrets-folder'] === undefined) return found
    const secrets = openSecrets(secretsPlace, stage)
    return [...found, ...(await inspectSecrets(await listConnections(elements, deployment), secrets, Date.now()))]
  } catch (error) {
    if (error instanceof ConfigurationError) return error.findings
    if (error instanceof ElementStoreError) return [{ severity: 'mistake', sentence: error.message }]
    throw error
  }
}
