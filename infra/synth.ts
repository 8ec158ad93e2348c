import { join, relative } from 'node:path'
import { Command } from 'commander'

/*
 * npm run synth: writes the template that a deployment would use to cdk.out, without network and without an AWS account. A missing
 * stage is replaced by an example.
 */
type Context = Readonly<Record<string, string>>

const { env } = process
const command = new Command('npm run synth --')
  .usage('[-c stage=prod] [-c publicUrl=https://tokens.example.com] ...')
  .description('Writes the template of one stage to cdk.out. infra/README.md lists the settings.')
  .option('-c, --context <name=value>', 'one setting; it wins over the environment variable', addSetting)
  .showHelpAfterError('Write each setting as -c <name>=<value>, for example npm run synth -- -c stage=prod.')
const { context } = command.parse().opts<{ context?: Context }>()

// The CDK reads it, as it does when the command cdk starts the app.
env['CDK_CONTEXT_JSON'] = JSON.stringify({ ...JSON.parse(env['CDK_CONTEXT_JSON'] || '{}'), ...context })
env['TOKENWELL_STAGE'] ||= 'example'
const { app, publicUrl, stack } = await import('./app.ts')
console.log(
  `Wrote ${relative(process.cwd(), join(app.outdir, stack.templateFile))} for ${publicUrl ?? 'the URL of its HTTP API'}.`,
)

function addSetting(setting: string, context?: Context): Context {
  const [name = '', ...value] = setting.split('=')
  if (name === '' || value.length === 0) command.error(`The setting ${setting} has no value.`)
  return { ...context, [name]: value.join('=') }
}
