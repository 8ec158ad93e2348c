import { join } from 'node:path'
import { checkPages, checkSources } from './prose/check-english.ts'

/* npm run english [-- --warnings]: checks the English of pages, messages, comments and titles of tests. */
const root = join(import.meta.dirname, '..')
const complaints = [...(await checkPages(root)), ...checkSources(root)]
const errors = complaints.filter(({ severity }) => severity === 'error')
for (const { path, line, message } of process.argv.includes('--warnings') ? complaints : errors)
  console.log(`${path}:${line}: ${message}`)
console.log(
  `${errors.length} phrases must be rewritten, ${complaints.length - errors.length} sentences are long (npm run english -- --warnings lists them).`,
)
if (errors.length > 0) process.exitCode = 1
