import { parseArgs } from 'node:util'
import { type ElementsPlace, openElements } from '../lib/application/open-adapters.ts'
import type { ElementStore } from '../lib/configuration/element-store.ts'
import { ElementStoreError } from '../lib/configuration/element-store.ts'
import { ConfigurationError, describeFinding, type Finding } from '../lib/configuration/finding.ts'
import { validateElements } from '../lib/configuration/inspect-elements.ts'

/*
 * npm run validate -- [<file or folder>] [--stage <stage>] [--public-url <url>]
 * Without a file or folder: the elements of that stage in Parameter Store.
 * Prints every mistake and warning of all elements at once; ends with 1 if there is a mistake.
 */
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    stage: { type: 'string' },
    'public-url': { type: 'string', default: 'https://tokenwell.invalid' },
  },
})
const [path] = positionals
const { stage = 'local' } = values
if (path === undefined && values.stage === undefined) {
  console.error('Name a file or folder, or a stage: npm run validate -- infra/local/elements.json, or -- --stage prod')
  process.exit(1)
}
const place: ElementsPlace = path === undefined ? { kind: 'parameter_store' } : { kind: 'files', path }

const findings = await findAll(openElements(place, stage))
const count = (severity: Finding['severity']) => findings.filter((finding) => finding.severity === severity).length
for (const finding of findings) console.log(`${finding.severity.padEnd(8)} ${describeFinding(finding)}`)
console.log(`${path ?? `/tokenwell/${stage}`}: mistakes: ${count('mistake')}, warnings: ${count('warning')}`)
process.exitCode = count('mistake') > 0 ? 1 : 0

async function findAll(elements: ElementStore): Promise<readonly Finding[]> {
  const deployment = { stage, publicUrl: values['public-url'], isLambda: stage !== 'local' }
  try {
    return await validateElements(elements, deployment)
  } catch (error) {
    if (error instanceof ConfigurationError) return error.findings
    if (error instanceof ElementStoreError) return [{ severity: 'mistake', sentence: error.message }]
    throw error
  }
}
