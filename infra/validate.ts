import { parseArgs } from 'node:util'
import { fileElements } from '../lib/adapters/file-elements.ts'
import { ConfigurationError } from '../lib/configuration/configuration-error.ts'
import { describeFinding, type Finding } from '../lib/configuration/finding.ts'
import { validateElements } from '../lib/configuration/validate-elements.ts'

/*
 * npm run validate -- <file or folder> [--stage <stage>] [--public-url <url>]
 * Prints every mistake and warning of all elements at once; ends with 1 if there is a mistake.
 */
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    stage: { type: 'string', default: 'local' },
    'public-url': { type: 'string', default: 'https://tokenwell.invalid' },
  },
})
const [path] = positionals
if (path === undefined) {
  console.error('Name the file or folder of the elements: npm run validate -- infra/local/elements.json')
  process.exit(1)
}

const findings = await findAll(path)
const count = (severity: Finding['severity']) => findings.filter((finding) => finding.severity === severity).length
for (const finding of findings) console.log(`${finding.severity.padEnd(8)} ${describeFinding(finding)}`)
console.log(`${path}: mistakes: ${count('mistake')}, warnings: ${count('warning')}`)
process.exitCode = count('mistake') > 0 ? 1 : 0

async function findAll(elementsPath: string): Promise<readonly Finding[]> {
  const elements = fileElements(elementsPath)
  const surroundings = { stage: values.stage, publicUrl: values['public-url'], isLambda: values.stage !== 'local' }
  try {
    return await validateElements(elements, surroundings)
  } catch (error) {
    if (error instanceof ConfigurationError) return error.findings
    throw error
  }
}
