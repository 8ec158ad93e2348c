import { readFileSync } from 'node:fs'
import { tokenByHttps } from './token-by-https.ts'

const [issuer = '', keyPath = ''] = process.argv.slice(2)
process.stdout.write(await tokenByHttps(issuer, readFileSync(keyPath, 'utf8')))
process.exit()
