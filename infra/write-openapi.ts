import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createOpenapi } from './openapi/document.ts'

/* npm run openapi: writes the OpenAPI document of the HTTP API. */
const path = join(import.meta.dirname, '..', 'functions', 'openapi.json')
writeFileSync(path, `${JSON.stringify(createOpenapi(), undefined, 2)}\n`)
console.log(`wrote ${path}`)
