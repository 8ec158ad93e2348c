import { relative } from 'node:path'

/*
 * npm run synth: writes the template that a deployment would use to cdk.out; neither network nor account is needed. What isn't
 * told stands for an example.
 */
const { env } = process
env['TOKENWELL_STAGE'] ||= 'example'
env['TOKENWELL_PUBLIC_URL'] ||= 'https://tokenwell.example'
await import('./app.ts')
const folder = relative(process.cwd(), env['CDK_OUTDIR'] ?? 'cdk.out')
console.log(`${folder}/Tokenwell-${env['TOKENWELL_STAGE']}.template.json, for ${env['TOKENWELL_PUBLIC_URL']}`)
