import assert from 'node:assert/strict'
import { test } from 'node:test'
import { complaintsOfVariables } from '../../../lib/application/unsafe-variables.ts'

test('a variable that weakens TLS, prints TLS traffic or runs other code is named, and its value is not repeated', () => {
  for (const [name, value] of [
    ['NODE_TLS_REJECT_UNAUTHORIZED', '0'],
    ['NODE_TLS_REJECT_UNAUTHORIZED', 'false'],
    ['NODE_EXTRA_CA_CERTS', '/var/task/canary.pem'],
    ['NODE_EXTRA_CA_CERTS', '/var/runtime/ca-cert.pem'],
    ['NODE_USE_SYSTEM_CA', '1'],
    ['NODE_USE_ENV_PROXY', '1'],
    ['NODE_DEBUG', 'https'],
    ['NODE_DEBUG_NATIVE', 'tls'],
    ['SSL_CERT_FILE', '/tmp/canary.pem'],
    ['SSL_CERT_FILE', '/etc/../tmp/canary.pem'],
    ['SSL_CERT_DIR', '/opt/canary'],
    ['SSL_CERT_DIR', 'etc/canary'],
    ['OPENSSL_CONF', '/var/task/canary.cnf'],
    ['OPENSSL_MODULES', '/opt/canary'],
    ['LD_PRELOAD', '/opt/canary.so'],
    ['AWS_LAMBDA_EXEC_WRAPPER', '/opt/canary'],
    ['AWS_CONFIG_FILE', '/var/task/canary'],
    ['AWS_SHARED_CREDENTIALS_FILE', '/var/task/canary'],
    ['AWS_ENDPOINT_URL', 'http://canary.example'],
    ['AWS_ENDPOINT_URL', 'http://127.0.0.1.canary.example:4566'],
    ['AWS_ENDPOINT_URL', 'http://localhost@canary.example'],
    ['AWS_ENDPOINT_URL', 'http://169.254.0.1/canary'],
    ['AWS_ENDPOINT_URL', 'canary'],
    ['AWS_ENDPOINT_URL_SECRETS_MANAGER', 'HTTP://user:canary@sm.example'],
    ['AWS_ENDPOINT_URL_DYNAMODB', 'ftp://canary.example'],
    ['AWS_ENDPOINT_URL_STS', 'http://canary.example'],
  ] as const) {
    const [complaint = '', ...others] = complaintsOfVariables({ HOME: '/root', [name]: value })
    assert.match(complaint, new RegExp(`^${name} is unsafe: \\w`), `${name}=${value}`)
    assert.doesNotMatch(complaint, /canary/)
    assert.deepEqual(others, [])
  }
})

test('a harmless variable is accepted: one that Lambda sets itself, an https endpoint, an emulator on this machine', () => {
  const variables = {
    AWS_REGION: 'eu-central-1',
    AWS_LAMBDA_FUNCTION_NAME: 'issue-token',
    AWS_LAMBDA_RUNTIME_API: '127.0.0.1:9001',
    AWS_XRAY_DAEMON_ADDRESS: '127.0.0.1:2000',
    LD_LIBRARY_PATH: '/var/lang/lib:/lib64',
    NODE_PATH: '/opt/nodejs/node_modules',
    NODE_TLS_REJECT_UNAUTHORIZED: '1',
    NODE_EXTRA_CA_CERTS: '',
    NODE_USE_SYSTEM_CA: '0',
    NODE_OPTIONS: undefined,
    SSL_CERT_FILE: '/etc/pki/tls/certs/ca-bundle.crt',
    AWS_CONFIG_FILE: '/dev/null',
    AWS_CA_BUNDLE: '/opt/ca.pem',
    HTTPS_PROXY: 'http://proxy.example',
    AWS_ENDPOINT_URL: 'http://127.0.0.1:5000',
    AWS_ENDPOINT_URL_SSM: 'http://localhost:5000',
    AWS_ENDPOINT_URL_SQS: 'http://[::1]:5000',
    AWS_ENDPOINT_URL_EVENTBRIDGE: 'https://vpce-1.events.eu-central-1.vpce.amazonaws.com',
  }
  assert.deepEqual(complaintsOfVariables(variables), [])
})

test('every flag in NODE_OPTIONS that is not known to be harmless is named, without its value', () => {
  for (const [options, named] of [
    ['--tls-min-v1.0', '--tls-min-v1.0'],
    ['--tls_min_v1.1', '--tls_min_v1.1'],
    ['--no-tls-min-v1.2', '--no-tls-min-v1.2'],
    ['--tls-cipher-list=canary', '--tls-cipher-list'],
    ['--tls-keylog=/tmp/canary', '--tls-keylog'],
    ['--use-openssl-ca', '--use-openssl-ca'],
    ['--use-system-ca --max-old-space-size=400', '--use-system-ca'],
    ['--openssl-config=/tmp/canary', '--openssl-config'],
    ['--openssl-legacy-provider', '--openssl-legacy-provider'],
    ['--insecure-http-parser', '--insecure-http-parser'],
    ['--require=/opt/canary.js', '--require'],
    ['--import=data:canary', '--import'],
    ['--experimental-loader=./canary.mjs', '--experimental-loader'],
    ['--inspect=0.0.0.0:9229', '--inspect'],
    ['--heapsnapshot-signal=SIGUSR2\n--trace-tls', '--heapsnapshot-signal, --trace-tls'],
    ['"--tls-min-v1.0"', '"--tls-min-v1.0"'],
    ['--max-old-space-size=400\\ --tls-min-v1.0', '--max-old-space-size, --tls-min-v1.0'],
  ] as const)
    assert.deepEqual(complaintsOfVariables({ NODE_OPTIONS: options }), [`NODE_OPTIONS is unsafe: remove ${named}`])
  for (const options of [
    '',
    '  ',
    '--max-old-space-size=400 --max_semi_space_size=16',
    '--enable-source-maps --stack-trace-limit=50 --no-warnings',
    '--experimental-require-module --no-experimental-detect-module',
    '--disable-warning=DEP0040 --unhandled-rejections=strict --dns-result-order=ipv4first',
    '--tls-min-v1.3 --use-bundled-ca',
  ])
    assert.deepEqual(complaintsOfVariables({ NODE_OPTIONS: options }), [], options)
})

test('a flag and its value may be separate words, and the complaint leaves out the value', () => {
  const [complaint = ''] = complaintsOfVariables({ NODE_OPTIONS: '--require /opt/canary.js -r ./canary' })
  assert.match(complaint, /^NODE_OPTIONS is unsafe: remove --require, -r$/)
})
