import { statSync } from 'node:fs'
import { join, relative } from 'node:path'
import { buildPackage } from './package/build-package.ts'
import { packFolder } from './package/pack.ts'

/* npm run package: builds the npm package in .build/package and packs it. Publishing is not a part of it. */
const output = join(import.meta.dirname, '..', '.build')
const folder = join(output, 'package')
await buildPackage(folder)
const { path, unpackedBytes } = packFolder(folder, output)
const megabytes = (bytes: number) => (bytes / 1_000_000).toFixed(1)
console.log(
  `Wrote ${relative(process.cwd(), path)}: ${megabytes(statSync(path).size)} MB, ${megabytes(unpackedBytes)} MB unpacked. Install it with npm install.`,
)
