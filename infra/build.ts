import { readdirSync, statSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { bundleFunction, functionNames } from './bundle.ts'

/* npm run build: bundles every function into .build, and prints the size of what it loads at start and of all its files. */
const outputFolder = join(import.meta.dirname, '..', '.build')
const kibibytes = (path: string) => Math.round(statSync(path).size / 1024)
for (const name of functionNames) {
  const entry = await bundleFunction(name, outputFolder)
  const folder = dirname(entry)
  const files = readdirSync(folder).filter((file) => file.endsWith('.mjs'))
  const all = files.reduce((sum, file) => sum + kibibytes(join(folder, file)), 0)
  console.log(
    `${relative(process.cwd(), entry)}: ${kibibytes(entry)} KiB at start, ${all} KiB with the files that it loads on demand`,
  )
}
