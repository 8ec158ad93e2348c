import { statSync } from 'node:fs'
import { join, relative } from 'node:path'
import { buildPackage } from './package/build-package.ts'
import { packFolder } from './package/pack.ts'
import { writeTemplate } from './package/template.ts'

/*
 * npm run package: builds the npm package in .build/package and packs it. Writes a CloudFormation template with the code of its functions to
 * .build/template, for teams without the CDK. Publishing is not a part of it.
 */
// The CDK would check the template before the parameters are in it. A test checks the finished one.
process.env['CDK_VALIDATION'] = 'false'
const output = join(import.meta.dirname, '..', '.build')
const folder = join(output, 'package')
await buildPackage(folder)
const { path, unpackedBytes } = packFolder(folder, output)
const megabytes = (bytes: number) => (bytes / 1_000_000).toFixed(1)
console.log(
  `Wrote ${relative(process.cwd(), path)}: ${megabytes(statSync(path).size)} MB, ${megabytes(unpackedBytes)} MB unpacked. Install it with npm install.`,
)
const template = join(output, 'template')
writeTemplate(join(folder, 'functions'), template)
console.log(`Wrote ${relative(process.cwd(), template)}/template.json for deployments without the CDK.`)
