import { statSync } from 'node:fs'
import { join, relative } from 'node:path'
import { bundleFunction, functionNames } from './bundle.ts'

/* npm run build: bundles every function into .build. */
const outputFolder = join(import.meta.dirname, '..', '.build')
for (const name of functionNames) {
  const path = await bundleFunction(name, outputFolder)
  console.log(`${relative(process.cwd(), path)} ${Math.round(statSync(path).size / 1024)} KiB`)
}
