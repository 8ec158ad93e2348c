import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { test } from 'node:test'
import { elementsFileOf, exampleIssuer } from '../../support/elements/element-store.ts'
import { exampleElements } from '../../support/elements/elements.ts'
import { temporaryFolder } from '../../support/process/temporary-folder.ts'

const root = join(import.meta.dirname, '..', '..', '..')

test('elements without a mistake give exit code 0 and a line with counts', async (t) => {
  const path = await elementsFileOf(t, exampleElements(exampleIssuer))
  assert.deepEqual(await validate(path), { status: 0, lines: [`${path}: mistakes: 0, warnings: 0`], errors: '' })
})

test('warnings are printed and give exit code 0', async (t) => {
  const path = await elementsFileOf(t, exampleElements(exampleIssuer, { builder: { jti: false } }))
  const { status, lines } = await validate(path)
  assert.equal(status, 0)
  assert.equal(lines.length, 2)
  assert.match(lines[0] ?? '', /^warning {2}jwtBuilder\/theBuilder jti: /)
  assert.equal(lines[1], `${path}: mistakes: 0, warnings: 1`)
})

test('all mistakes and warnings, also of unused elements, are printed at once and give exit code 1', async (t) => {
  const elements = exampleElements(exampleIssuer, {
    builder: { jti: false },
    server: { tokenEndpoint: 'http://as.example.com/' },
  })
  elements['oAuthConfig'] = { ...elements['oAuthConfig'], unused: { authServerRef: 'theserver' } }
  const path = await elementsFileOf(t, { ...elements, zosconnect_jwtBuilder: {} })
  const { status, lines } = await validate(path)
  assert.equal(status, 1)
  assert.deepEqual(lines, [
    'mistake  zosconnect_jwtBuilder: There is no such kind of element. Did you mean jwtBuilder?',
    'mistake  oAuthConfig/unused authServerRef: There is no authorizationServer element with the id "theserver". ' +
      'Did you mean "theServer"? Ids are case-sensitive.',
    'mistake  authorizationServer/theServer tokenEndpoint: It must begin with https:// (RFC 6749 section 3.2).',
    'warning  jwtBuilder/theBuilder jti: An assertion without jti can be replayed, ' +
      'and servers that follow OpenID Connect refuse it. Send jti.',
    `${path}: mistakes: 3, warnings: 1`,
  ])
})

test('the command knows the Public Suffix List: a domain below which anybody can register a name is a mistake', async (t) => {
  const hostFrom = { member: 'instance_url', within: ['*.co.uk'] }
  const path = await elementsFileOf(t, exampleElements(exampleIssuer, { oAuth: { hostFrom } }))
  const { status, lines } = await validate(path)
  assert.equal(status, 1)
  assert.match(
    lines[0] ?? '',
    /^mistake {2}oAuthConfig\/theConfig hostFrom: Anybody can register a domain below co\.uk/,
  )
})

test('with --secrets keys are read too, and a wrong key gives exit code 1', async (t) => {
  const elements = exampleElements(exampleIssuer, { builder: { jwkEnabled: undefined, keyStoreRef: 'theTrust' } })
  const path = await elementsFileOf(t, elements)
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const key = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
  const folder = await temporaryFolder(t, { 'authorization-server-ca': key })
  assert.equal((await validate(path)).status, 0, 'without it no secret is read')
  const { status, lines, errors } = await validate(path, '--secrets', '--secrets-folder', folder)
  assert.deepEqual([status, errors], [1, ''])
  assert.match(
    lines.join('\n'),
    /^mistake {2}jwtBuilder\/theBuilder keyStoreRef: .* holds an EC key on P-256, but RS256 needs /m,
  )
  assert.equal(lines.at(-1), `${path}: mistakes: 2, warnings: 0`)
})

test('a folder is validated like a file', async (t) => {
  const folder = await temporaryFolder(t, { 'keyStore/theKeys.json': '{ "location": "keys.pem" }' })
  const { status, lines } = await validate(folder)
  assert.equal(status, 1)
  assert.match(lines[0] ?? '', /^mistake {2}keyStore\/theKeys location: /)
  assert.equal(lines[1], `${folder}: mistakes: 1, warnings: 0`)
})

test('the stage decides which secrets elements may name, and whether the rules of Lambda apply', async (t) => {
  const elements = exampleElements(exampleIssuer, { server: { allowLoopbackHttp: true } })
  const path = await elementsFileOf(t, elements)
  assert.equal((await validate(path)).status, 0)

  const { status, lines } = await validate(path, '--stage', 'prod')
  assert.equal(status, 1)
  assert.match(lines.join('\n'), /^mistake {2}keyStore\/theTrust location: .*tokenwell\/prod\//m)
  assert.match(lines.join('\n'), /^mistake {2}authorizationServer\/theServer allowLoopbackHttp: .*Lambda/m)
  assert.equal(lines.at(-1), `${path}: mistakes: 2, warnings: 0`)
})

test('a missing file or a file without valid JSON is printed in one line and gives exit code 1', async (t) => {
  const folder = await temporaryFolder(t, { 'broken.json': '{\n"hunter2": }' })
  const missing = join(folder, 'missing.json')
  assert.deepEqual(await validate(missing), {
    status: 1,
    lines: [
      `mistake  ${missing} cannot be read (ENOENT). It must be a JSON file or a folder.`,
      `${missing}: mistakes: 1, warnings: 0`,
    ],
    errors: '',
  })
  const broken = join(folder, 'broken.json')
  assert.deepEqual(await validate(broken), {
    status: 1,
    lines: [
      `mistake  ${broken} does not contain valid JSON: value expected at line 2, column 12.`,
      `${broken}: mistakes: 1, warnings: 0`,
    ],
    errors: '',
  })
})

test('with --json the findings are printed as JSON and nothing else', async (t) => {
  const path = await elementsFileOf(t, { ...exampleElements(exampleIssuer), zosconnect_jwtBuilder: {} })
  const { status, lines } = await validate(path, '--json')
  assert.equal(status, 1)
  const sentence = 'zosconnect_jwtBuilder: There is no such kind of element. Did you mean jwtBuilder?'
  assert.deepEqual(JSON.parse(lines.join('\n')), [{ severity: 'mistake', sentence }])
})

test('an unknown command or option is refused with the name that it resembles', async () => {
  assert.deepEqual(await validate('--stag', 'prod'), {
    status: 1,
    lines: [],
    errors: "error: unknown option '--stag'\n(Did you mean --stage?)\n",
  })
})

test('--help prints its usage with each option and gives exit code 0', async () => {
  const { status, lines, errors } = await validate('--help')
  assert.deepEqual([status, errors], [0, ''])
  assert.match(lines[0] ?? '', /^Usage: tokenwell validate \[options\] \[elements\]$/)
  for (const option of ['--stage', '--public-url', '--secrets', '--secrets-folder', '--json'])
    assert.ok(lines.some((line) => line.trim().startsWith(option)))
})

test('if elements or secrets are in AWS and no region is set, one line says how to set it', async (t) => {
  const elements = exampleElements(exampleIssuer)
  elements['keyStore'] = { theTrust: { location: 'tokenwell/prod/authorization-server-ca' } }
  const path = await elementsFileOf(t, elements)
  for (const words of [
    ['--stage', 'prod'],
    [path, '--stage', 'prod', '--secrets'],
  ])
    assert.deepEqual(await validate(...words), {
      status: 1,
      lines: [],
      errors:
        'No AWS region is set. Set the environment variable AWS_REGION, for example to eu-central-1, or the region of your AWS profile.\n',
    })
  assert.equal((await validate(path, '--stage', 'prod')).status, 0, 'nothing is read from AWS')
})

test('without a path it prints its usage and gives exit code 1', async () => {
  const { status, lines, errors } = await validate()
  assert.equal(status, 1)
  assert.deepEqual(lines, [])
  assert.match(errors, /^Name a file, a folder or a stage, for example: tokenwell validate elements, or /)
})

test('the elements of the local run have no mistake', async () => {
  const { status, lines } = await validate(join('infra', 'local', 'elements.json'))
  assert.equal(status, 0, lines.join('\n'))
})

/** The environment of an operator who has not set up AWS on this machine. */
const withoutAws = {
  ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('AWS_'))),
  AWS_CONFIG_FILE: join(root, 'no such file'),
  AWS_EC2_METADATA_DISABLED: 'true',
}

async function validate(...words: string[]) {
  const child = spawn(process.execPath, [join('infra', 'cli', 'tokenwell.ts'), 'validate', ...words], {
    cwd: root,
    env: withoutAws,
  })
  const [output, errors, status] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    new Promise<number | null>((resolve) => child.on('close', resolve)),
  ])
  return { status, lines: output.split('\n').filter(Boolean), errors }
}
