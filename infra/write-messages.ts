import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { messageTable } from './prose/message-table.ts'

/* npm run messages: writes the table of everything that Tokenwell can say. */
const root = join(import.meta.dirname, '..')
const path = join(root, 'lib', 'log', 'messages.md')
writeFileSync(path, messageTable(root))
console.log(`wrote ${path}`)
