import { mkdirSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { createSbom } from './sbom.ts'

/* npm run sbom: writes .build/sbom.json, beside the bundles. */
const folder = join(import.meta.dirname, '..', '.build')
const path = join(folder, 'sbom.json')
const sbom = createSbom()
mkdirSync(folder, { recursive: true })
writeFileSync(path, `${JSON.stringify(sbom, undefined, 2)}\n`)
console.log(`Wrote ${relative(process.cwd(), path)} with ${sbom.components.length} packages.`)
