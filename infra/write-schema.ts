import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createElementsJsonSchema } from './elements-json-schema.ts'

/* npm run schema: writes the JSON Schema that editors use for elements files. */
const path = join(import.meta.dirname, '..', 'lib', 'configuration', 'elements.schema.json')
writeFileSync(path, `${JSON.stringify(createElementsJsonSchema(), undefined, 2)}\n`)
console.log(`Wrote ${path}.`)
