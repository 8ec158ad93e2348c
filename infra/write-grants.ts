import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { withGrants } from './grants-page.ts'

/* npm run grants: writes the rights of each function into infra/README.md, from the synthesized stack. */
const path = join(import.meta.dirname, 'README.md')
writeFileSync(path, withGrants(readFileSync(path, 'utf8')))
console.log(`Wrote ${path}.`)
