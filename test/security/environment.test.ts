import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { bundleFunction, functionNames } from '../../infra/bundle.ts'

import { FunctionError, startLambdaInstance } from '../support/lambda/lambda-instance.ts'
import { temporaryFolder } from '../support/process/temporary-folder.ts'

/* Starts built functions as Lambda does, with variables that would weaken TLS in the whole process. */

const folder = await temporaryFolder({ after })
const environment = {
  TOKENWELL_STAGE: 'prod',
  TOKENWELL_PUBLIC_URL: 'https://tokenwell.example',
  TOKENWELL_ELEMENTS: 'parameter-store',
  TOKENWELL_SECRETS: 'secrets-manager',
  TOKENWELL_CACHE: 'memory',
}

test('no function starts on Lambda with a variable that weakens TLS, and the error names the variable', async (t) => {
  const file = join(folder, 'empty.cjs')
  await writeFile(file, '')
  const [first = '', ...others] = await Promise.all(functionNames.map((name) => bundleFunction(name, folder)))
  const refused = async (bundle: string, name: string, value: string) => {
    const start = startLambdaInstance(t, bundle, { ...environment, [name]: value })
    await assert.rejects(start, (error: unknown) => {
      assert(error instanceof FunctionError, String(error))
      assert.match(error.message, new RegExp(`^${name} is unsafe: .*\\.$`))
      return true
    })
  }
  for (const [name, value] of [
    ['NODE_TLS_REJECT_UNAUTHORIZED', '0'],
    ['NODE_EXTRA_CA_CERTS', file],
    ['NODE_OPTIONS', '--tls-min-v1.0'],
    ['NODE_OPTIONS', '--tls-cipher-list=DEFAULT@SECLEVEL=0'],
    ['NODE_OPTIONS', '--use-openssl-ca'],
    ['NODE_OPTIONS', `--require ${file}`],
    ['NODE_USE_SYSTEM_CA', '1'],
    ['NODE_USE_ENV_PROXY', '1'],
    ['SSL_CERT_FILE', file],
    ['SSL_CERT_DIR', folder],
    ['AWS_ENDPOINT_URL', 'http://aws.example'],
    ['AWS_ENDPOINT_URL_SECRETS_MANAGER', 'http://aws.example'],
    ['AWS_CONFIG_FILE', file],
  ] as const)
    await refused(first, name, value)
  for (const bundle of others) await refused(bundle, 'NODE_TLS_REJECT_UNAUTHORIZED', '0')
})
