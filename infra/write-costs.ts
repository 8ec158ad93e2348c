import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { withCosts } from './cost/costs-page.ts'

/* npm run costs: writes the tables of infra/costs.md from prices, counted quantities and the synthesized stack. */

// The CDK's own check of the template takes most of the time.
process.env['CDK_VALIDATION'] = 'false'
const path = join(import.meta.dirname, 'costs.md')
writeFileSync(path, withCosts(readFileSync(path, 'utf8')))
console.log(`Wrote ${path}.`)
