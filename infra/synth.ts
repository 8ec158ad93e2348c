import { relative } from 'node:path'

/*
 * npm run synth: writes the template that a deployment would use to cdk.out, without network and without an AWS account. A missing
 * stage or public URL is replaced by an example.
 */
const { env } = process
env['TOKENWELL_STAGE'] ||= 'example'
env['TOKENWELL_PUBLIC_URL'] ||= 'https://tokenwell.example'
await import('./app.ts')
const folder = relative(process.cwd(), env['CDK_OUTDIR'] ?? 'cdk.out')
console.log(`Wrote ${folder}/Tokenwell-${env['TOKENWELL_STAGE']}.template.json for ${env['TOKENWELL_PUBLIC_URL']}.`)
