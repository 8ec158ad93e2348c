import assert from 'node:assert/strict'
import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { jwtVerify } from 'jose'
import { fileSecrets } from '../../../lib/adapters/files/file-secrets.ts'
import type { SignatureAlgorithm } from '../../../lib/configuration/signature-algorithm.ts'
import { Secret, secretText } from '../../../lib/secret/secret.ts'
import { createSecretCache } from '../../../lib/secret/secret-cache.ts'
import { SecretError } from '../../../lib/secret/secret-store.ts'
import type { Signer } from '../../../lib/signing/signer.ts'
import { createSignerCache } from '../../../lib/signing/signer-cache.ts'
import { KeyStoreError } from '../../../lib/signing/signing-key.ts'
import { readSigningKeys } from '../../../lib/signing/signing-secret.ts'
import { type KeyTool, runKeyTool } from '../../support/process/key-tools.ts'
import { temporaryFolder } from '../../support/process/temporary-folder.ts'
import { startIfThere } from '../../support/servers/real-server.ts'

/*
 * The secrets that people have, each made here by the tool that makes it, and tried as the signing secret of a jwtBuilder. The command
 * that a message advises is run, and what it writes is tried, too.
 */

const pass = 'the Passphrase'
const folder = await temporaryFolder({ after })
let files = 0

/** A new path in the folder. */
function newPath(ending = ''): string {
  files += 1
  return join(folder, `file-${files}${ending}`)
}

/** Runs a tool whose last parameter is the path that it writes to. */
async function makeFile(tool: KeyTool, ...parameters: string[]): Promise<string> {
  const path = newPath()
  await runKeyTool(tool, ...parameters, path)
  return path
}

const openssl = (...parameters: string[]) => makeFile('openssl', ...parameters, '-out')
const genpkey = (algorithm: string, ...options: string[]) =>
  openssl('genpkey', '-algorithm', algorithm, ...options.flatMap((each) => ['-pkeyopt', each]))
const legacy = ['-provider', 'legacy', '-provider', 'default'] as const

/** Each key is made once, at its first use. */
function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined
  return () => {
    made ??= make()
    return made
  }
}

const rsa = once(() => genpkey('RSA', 'rsa_keygen_bits:2048'))
const p256 = once(() => genpkey('EC', 'ec_paramgen_curve:P-256'))
const ed25519 = once(() => genpkey('ED25519'))
const certificate = once(async () =>
  openssl('req', '-new', '-x509', '-key', await rsa(), '-subj', '/CN=theClient', '-days', '30'),
)
const pkcs12 = once(async () =>
  openssl('pkcs12', '-export', '-inkey', await rsa(), '-in', await certificate(), '-passout', `pass:${pass}`),
)
const oldPkcs12 = once(async () =>
  openssl(
    ...['pkcs12', '-export', '-legacy', '-inkey', await rsa(), '-in', await certificate()],
    ...['-passout', `pass:${pass}`],
  ),
)
const keytool = (type: string) =>
  makeFile(
    'keytool',
    ...['-genkeypair', '-alias', 'k', '-keyalg', 'RSA', '-keysize', '2048', '-dname', 'CN=theClient'],
    ...['-storetype', type, '-storepass', pass, '-keypass', pass, '-keystore'],
  )
const keytoolPkcs12 = once(() => keytool('pkcs12'))
const jks = once(() => keytool('jks'))
const sshKey = (type: string, ...options: string[]) =>
  makeFile('ssh-keygen', '-q', '-t', type, '-N', '', '-C', 'a comment', ...options, '-f')
const openSshRsa = once(() => sshKey('rsa', '-b', '2048'))
const openSshEcdsa = once(() => sshKey('ecdsa'))
const openSshEd25519 = once(() => sshKey('ed25519'))
const openSshEd25519Encrypted = once(() =>
  makeFile('ssh-keygen', '-q', '-t', 'ed25519', '-N', pass, '-C', 'encrypted', '-f'),
)

const text = async (path: Promise<string>) => readFile(await path, 'utf8')
const bytes = async (path: Promise<string>) => readFile(await path)
const base64 = async (path: Promise<string>) => (await bytes(path)).toString('base64')
const der = async (path: Promise<string>, ...form: string[]) =>
  openssl('pkey', '-in', await path, '-outform', 'DER', ...form)
const pkcs8Der = async (path: Promise<string>) =>
  openssl('pkcs8', '-topk8', '-nocrypt', '-in', await path, '-outform', 'DER')
const jwk = async (path: Promise<string>) => createPrivateKey(await text(path)).export({ format: 'jwk' })
const json = (value: unknown) => JSON.stringify(value)
const oneLine = (pem: string) => pem.replace(/-----[A-Z ]+-----|\n/g, '')
const encrypted = async (...options: string[]) =>
  openssl('pkcs8', '-topk8', '-in', await rsa(), '-passout', `pass:${pass}`, ...options)
const traditional = async (cipher: string, key = rsa, command = 'rsa') =>
  openssl(
    command,
    '-in',
    await key(),
    ...(command === 'rsa' ? ['-traditional'] : []),
    cipher,
    '-passout',
    `pass:${pass}`,
    ...legacy,
  )
const withPassphrase = async (path: Promise<string>, passphrase: unknown = pass) =>
  json({ privateKey: await text(path), passphrase })
const publicOf = async (path: Promise<string>) => openssl('pkey', '-in', await path, '-pubout')

interface KeyFile {
  readonly input: string
  readonly secret: () => Promise<string | Buffer>
  readonly algorithm?: SignatureAlgorithm
  readonly alias?: string
  /** The `kid` of its assertions. */
  readonly kid?: string
  /** The message after the name of the secret. Left out if the key signs. */
  readonly message?: RegExp
  /** The file that the message advises to convert. The command of the message must write a key that works. */
  readonly converts?: () => Promise<string>
  /** The key that must have signed. Left out for a key that only the tool has. */
  readonly key?: () => Promise<string>
}

const works: readonly KeyFile[] = [
  { input: 'PKCS#8', secret: () => text(rsa()), key: rsa },
  { input: 'PKCS#1', secret: async () => text(openssl('rsa', '-traditional', '-in', await rsa())), key: rsa },
  { input: 'RSA 3072', secret: () => text(genpkey('RSA', 'rsa_keygen_bits:3072')) },
  { input: 'RSA for PS256', algorithm: 'PS256', secret: () => text(rsa()), key: rsa },
  { input: 'PKCS#8 EC', algorithm: 'ES256', secret: () => text(p256()), key: p256 },
  {
    input: 'EC PARAMETERS and SEC1',
    algorithm: 'ES256',
    secret: () => text(openssl('ecparam', '-name', 'prime256v1', '-genkey')),
  },
  {
    input: 'explicit parameters of P-256',
    algorithm: 'ES256',
    secret: () => text(genpkey('EC', 'ec_paramgen_curve:P-256', 'ec_param_enc:explicit')),
  },
  { input: 'P-384', algorithm: 'ES384', secret: () => text(genpkey('EC', 'ec_paramgen_curve:P-384')) },
  { input: 'P-521', algorithm: 'ES512', secret: () => text(genpkey('EC', 'ec_paramgen_curve:P-521')) },
  { input: 'Ed25519', algorithm: 'EdDSA', secret: () => text(ed25519()), key: ed25519 },
  ...['-aes256', '-des3'].map(
    (cipher): KeyFile => ({
      input: `traditional encryption by ${cipher}`,
      secret: () => withPassphrase(traditional(cipher)),
      key: rsa,
    }),
  ),
  {
    input: 'a SEC1 key in traditional encryption',
    algorithm: 'ES256',
    secret: () => withPassphrase(traditional('-aes128', p256, 'ec')),
    key: p256,
  },
  ...[
    ['-v2', 'aes-256-cbc'],
    ['-v2', 'des3'],
    ['-scrypt'],
    ['-v1', 'PBE-SHA1-3DES'],
    ['-v2', 'aes-128-cbc', '-v2prf', 'hmacWithSHA1'],
  ].map(
    (options): KeyFile => ({
      input: `PKCS#8 encrypted by ${options.join(' ')}`,
      secret: () => withPassphrase(encrypted(...options)),
      key: rsa,
    }),
  ),
  {
    input: 'encrypted, the passphrase with a line break of an editor at its end',
    secret: () => withPassphrase(encrypted(), `${pass}\r\n`),
    key: rsa,
  },
  {
    input: 'openssl pkcs12 -nodes, with Bag Attributes and certificate',
    secret: async () => text(openssl('pkcs12', '-in', await pkcs12(), '-nodes', '-passin', `pass:${pass}`)),
    key: rsa,
  },
  {
    input: 'the same in base64, which begins with the Bag Attributes',
    secret: async () => base64(openssl('pkcs12', '-in', await pkcs12(), '-nodes', '-passin', `pass:${pass}`)),
    key: rsa,
  },
  {
    input: 'the certificate before its key',
    secret: async () => (await text(certificate())) + (await text(rsa())),
    key: rsa,
  },
  { input: 'openssl pkey -text', secret: async () => text(openssl('pkey', '-text', '-in', await rsa())), key: rsa },
  { input: 'PEM behind a byte order mark', secret: async () => `\ufeff${await text(rsa())}`, key: rsa },
  { input: 'PEM with CR alone', secret: async () => (await text(rsa())).replaceAll('\n', '\r'), key: rsa },
  { input: 'PEM in single quotation marks', secret: async () => `'${await text(rsa())}'`, key: rsa },
  {
    input: 'PKCS#8 labelled RSA',
    secret: async () => (await text(rsa())).replaceAll('PRIVATE KEY', 'RSA PRIVATE KEY'),
    key: rsa,
  },
  {
    input: 'PKCS#1 labelled PRIVATE KEY',
    secret: async () =>
      (await text(openssl('rsa', '-traditional', '-in', await rsa()))).replaceAll('RSA PRIVATE KEY', 'PRIVATE KEY'),
    key: rsa,
  },
  {
    input: 'SEC1 labelled PRIVATE KEY',
    algorithm: 'ES256',
    secret: async () => (await text(openssl('ec', '-in', await p256()))).replaceAll('EC PRIVATE KEY', 'PRIVATE KEY'),
    key: p256,
  },
  {
    input: 'an encrypted key labelled PRIVATE KEY',
    secret: async () => (await withPassphrase(encrypted())).replaceAll('ENCRYPTED PRIVATE KEY', 'PRIVATE KEY'),
    key: rsa,
  },
  {
    input: 'ssh-keygen -m PEM',
    secret: () => text(sshKey('rsa', '-b', '2048', '-m', 'PEM')),
  },
  {
    input: 'ssh-keygen -m PKCS8',
    algorithm: 'ES256',
    secret: () => text(sshKey('ecdsa', '-m', 'PKCS8')),
  },
  { input: 'OpenSSH Ed25519', algorithm: 'EdDSA', secret: () => text(openSshEd25519()) },
  {
    input: 'OpenSSH Ed25519 on one line without BEGIN and END',
    algorithm: 'EdDSA',
    secret: async () => oneLine(await text(openSshEd25519())),
  },
  ...(['rsa', 'p256', 'ed25519'] as const).flatMap((name): KeyFile[] => {
    const key = { rsa, p256, ed25519 }[name]
    const algorithm = ({ rsa: 'RS256', p256: 'ES256', ed25519: 'EdDSA' } as const)[name]
    return [
      { input: `PKCS#8 DER of ${name}, bytes`, algorithm, secret: () => bytes(pkcs8Der(key())), key },
      { input: `PKCS#8 DER of ${name}, base64`, algorithm, secret: () => base64(pkcs8Der(key())), key },
      {
        input: `PKCS#8 DER of ${name}, base64url`,
        algorithm,
        secret: async () => (await bytes(pkcs8Der(key()))).toString('base64url'),
        key,
      },
      {
        input: `PKCS#8 of ${name} on one line without BEGIN and END`,
        algorithm,
        secret: async () => `${oneLine(await text(key()))}\n`,
        key,
      },
      {
        input: `PKCS#8 DER of ${name}, base64, in JSON`,
        algorithm,
        secret: async () => json({ privateKey: await base64(pkcs8Der(key())), kid: 'its-id' }),
        key,
        kid: 'its-id',
      },
    ]
  }),
  { input: 'PKCS#1 DER, bytes', secret: () => bytes(der(rsa(), '-traditional')), key: rsa },
  { input: 'PKCS#1 DER, base64', secret: () => base64(der(rsa(), '-traditional')), key: rsa },
  { input: 'SEC1 DER, bytes', algorithm: 'ES256', secret: () => bytes(der(p256(), '-traditional')), key: p256 },
  { input: 'SEC1 DER, base64', algorithm: 'ES256', secret: () => base64(der(p256(), '-traditional')), key: p256 },
  {
    input: 'DER in base64 of lines whose ends are escaped, in quotation marks',
    secret: async () => `"${(await base64(pkcs8Der(rsa()))).replace(/.{64}/g, '$&\\n')}"`,
    key: rsa,
  },
  {
    input: 'encrypted PKCS#8 DER in base64, with its passphrase',
    secret: async () => json({ privateKey: await base64(encrypted('-outform', 'DER')), passphrase: pass }),
    key: rsa,
  },
  {
    input: 'DER with its certificate in JSON',
    secret: async () => json({ privateKey: await base64(pkcs8Der(rsa())), certificate: await text(certificate()) }),
    key: rsa,
  },
  { input: 'a JWK', secret: async () => json({ ...(await jwk(rsa())), kid: 'its-id' }), kid: 'its-id', key: rsa },
  {
    input: 'a JWK marked for signatures by this algorithm',
    secret: async () => json({ ...(await jwk(rsa())), use: 'sig', key_ops: ['sign', 'verify'], alg: 'RS256' }),
    key: rsa,
  },
  {
    input: 'a JWK whose alg has the newer name of EdDSA',
    algorithm: 'EdDSA',
    secret: async () => json({ ...(await jwk(ed25519())), alg: 'Ed25519' }),
    key: ed25519,
  },
  {
    input: 'a JWK set of a key for signatures and one for encryption',
    secret: async () =>
      json({
        keys: [
          { ...(await jwk(genpkey('RSA', 'rsa_keygen_bits:2048'))), use: 'enc', kid: 'e' },
          { ...(await jwk(rsa())), use: 'sig', kid: 's' },
        ],
      }),
    kid: 's',
    key: rsa,
  },
  {
    input: 'a service account key file of Google',
    secret: async () =>
      json({
        type: 'service_account',
        project_id: 'the-project',
        private_key_id: '0123456789abcdef0123456789abcdef01234567',
        private_key: await text(rsa()),
        client_email: 'robot@the-project.iam.gserviceaccount.com',
        client_id: '123456789012345678901',
        token_uri: 'https://oauth2.googleapis.com/token',
        universe_domain: 'googleapis.com',
      }),
    kid: '0123456789abcdef0123456789abcdef01234567',
    key: rsa,
  },
]

const wrongSecrets: readonly KeyFile[] = [
  {
    input: 'encrypted PKCS#8 without its passphrase',
    secret: () => text(encrypted()),
    message:
      /^holds an encrypted PEM private key without its passphrase\. Store JSON with privateKey and passphrase\.$/,
  },
  {
    input: 'traditional encryption without its passphrase',
    secret: () => text(traditional('-aes256')),
    message: /^holds an encrypted PEM private key without its passphrase\. /,
  },
  {
    input: 'encrypted PKCS#8 DER without its passphrase',
    secret: () => bytes(encrypted('-outform', 'DER')),
    message: /^holds an encrypted DER private key without its passphrase\. /,
  },
  {
    input: 'a wrong passphrase',
    secret: () => withPassphrase(encrypted(), 'another'),
    message: /^holds an encrypted PEM private key that its passphrase does not decrypt\. /,
  },
  {
    input: 'a passphrase that is a number',
    secret: () => withPassphrase(encrypted(), 1234),
    message: /^holds a passphrase that is not a text\. Write it in quotation marks\.$/,
  },
  ...[
    ['PBE-MD5-DES', 'DES \\(PBES1\\)'],
    ['PBE-SHA1-DES', 'DES \\(PBES1\\)'],
    ['PBE-SHA1-RC2-40', 'RC2 \\(PBES1\\)'],
    ['PBE-SHA1-RC4-128', 'RC4'],
  ].map(([scheme = '', name]): KeyFile => {
    const made = once(() => encrypted('-v1', scheme, ...legacy))
    return {
      input: `PKCS#8 encrypted by ${scheme}`,
      secret: () => withPassphrase(made()),
      message: new RegExp(
        `^holds a private key encrypted with ${name}, which OpenSSL 3 does not support. Convert it and store the new file: openssl`,
      ),
      converts: made,
    }
  }),
  ...[
    [() => encrypted('-v2', 'des-cbc', ...legacy), 'DES'],
    [() => encrypted('-v2', 'rc2-cbc', ...legacy), 'RC2'],
    [() => traditional('-des'), 'DES-CBC'],
  ].map(([make, name]): KeyFile => {
    const made = once(make as () => Promise<string>)
    return {
      input: `encryption by ${name} in PBES2 or the traditional form`,
      secret: () => withPassphrase(made()),
      message: new RegExp(`^holds a private key encrypted with ${name}, which OpenSSL 3 does not support. `),
      converts: made,
    }
  }),
  {
    input: 'a JWK with n, e and d only',
    secret: async () => {
      const { kty, n, e, d } = await jwk(rsa())
      return json({ kty, n, e, d })
    },
    message: /^holds an RSA JWK without p, q, dp, dq, qi\. Export the key with all members /,
  },
  {
    input: 'a JWK whose e is a number',
    secret: async () => json({ ...(await jwk(rsa())), e: 65537 }),
    message: /^holds a JWK whose e is not a text\. Write each number as a text in base64url, such as "e": "AQAB"\.$/,
  },
  ...['', 'beside '].map(
    (where): KeyFile => ({
      input: `a kid that is a number ${where}`,
      secret: async () => json(where ? { privateKey: await text(rsa()), kid: 42 } : { ...(await jwk(rsa())), kid: 42 }),
      message: /^holds a key whose kid is not a text\. Write the kid that the server knows, in quotation marks/,
    }),
  ),
  ...[{ use: 'enc' }, { key_ops: ['verify'] }, { key_ops: [] }, { use: 7 }, { alg: 'RSA-OAEP-256' }].map(
    (mark): KeyFile => ({
      input: `a JWK marked by ${json(mark)}`,
      secret: async () => json({ ...(await jwk(rsa())), ...mark }),
      message: /^holds a JWK that is not for signing\. /,
    }),
  ),
  {
    input: 'a JWK marked for PS256',
    secret: async () => json({ ...(await jwk(rsa())), alg: 'PS256' }),
    message: /^holds a JWK whose alg is PS256, not RS256\. Change signatureAlgorithm, or take alg out of the JWK\.$/,
  },
  {
    input: 'a JWK marked for an algorithm that nobody knows',
    secret: async () => json({ ...(await jwk(rsa())), alg: 'RS1' }),
    message: /^holds a JWK whose alg is another algorithm, not RS256\. /,
  },
  {
    input: 'a JWK set of keys for encryption alone',
    secret: async () => json({ keys: [{ ...(await jwk(rsa())), use: 'enc' }] }),
    message: /^holds a JWK that is not for signing\. /,
  },
  {
    input: 'a JWK set in which two keys have one kid, and keyAlias names it',
    alias: 's',
    secret: async () =>
      json({
        keys: [
          { ...(await jwk(rsa())), kid: 's' },
          { ...(await jwk(p256())), kid: 's' },
        ],
      }),
    message: /^holds several keys with the kid s\. Give each key its own kid, or take the others out\.$/,
  },
  {
    input: 'a JWK set of two keys without keyAlias',
    secret: async () =>
      json({
        keys: [
          { ...(await jwk(rsa())), kid: 's' },
          { ...(await jwk(p256())), kid: 't' },
        ],
      }),
    message: /^holds several keys\. Set keyAlias to the key that signs, one of: s, t\.$/,
  },
  {
    input: 'a JWK set with a public key beside the private one',
    secret: async () => {
      const publicJwk = createPublicKey(await text(p256())).export({ format: 'jwk' })
      return json({ keys: [await jwk(rsa()), publicJwk] })
    },
    message: /^holds a public JWK without d \(key 2 of the set\)\. /,
  },
  {
    input: 'a bare array',
    secret: async () => json([await jwk(rsa())]),
    message: /^begins with \[\. Store several keys as \{ "keys"/,
  },
  { input: 'an empty set', secret: async () => '{"keys":[]}', message: /^holds a JWK set without keys\. / },
  {
    input: 'a JWK set in jwks',
    secret: async () => json({ jwks: { keys: [await jwk(rsa())] } }),
    message: /^holds a private key in jwks\. Store JSON with the key as privateKey/,
  },
  {
    input: 'the configuration file of Box',
    secret: async () =>
      json({
        boxAppSettings: {
          clientID: 'abcdefgh',
          clientSecret: 'a-client-secret-that-is-long',
          appAuth: { publicKeyID: 'abcd1234', privateKey: await text(encrypted()), passphrase: pass },
        },
        enterpriseID: '123456',
      }),
    message:
      /^holds a private key in boxAppSettings\.appAuth\.privateKey\. Store JSON with the key as privateKey, the id .* as kid, and the passphrase .* as passphrase\.$/,
  },
  ...['key', 'privateKeyPem', 'private-key', 'rsa_private_key'].map(
    (name): KeyFile => ({
      input: `JSON with the key in ${name}`,
      secret: async () => json({ [name]: await text(rsa()), id: 'something' }),
      message: new RegExp(`^holds a private key in ${name}. Store JSON with the key as privateKey`),
    }),
  ),
  {
    input: 'JSON with DER in a member',
    secret: async () => json({ key: await base64(pkcs8Der(p256())) }),
    message: /^holds a private key in key\. /,
  },
  {
    input: 'JSON with the key under a name that may be a secret',
    secret: async () => json({ 'hunter2-hunter2-hunter2': await text(rsa()) }),
    message: /^holds a private key in <another member>\. /,
  },
  ...(
    [
      ['PKCS#12', pkcs12],
      ['PKCS#12 of OpenSSL 1', oldPkcs12],
      ['PKCS#12 of keytool', keytoolPkcs12],
    ] as const
  ).flatMap(([name, file]): KeyFile[] => {
    const message =
      /^holds a PKCS#12 key store\. Convert it and store the new file: openssl pkcs12 (-legacy )?-in <file> -nodes -out <new file>$/
    return [
      { input: `${name}, bytes`, secret: () => bytes(file()), message, converts: file },
      { input: `${name}, base64`, secret: () => base64(file()), message },
      {
        input: `${name} in JSON`,
        secret: async () => json({ pkcs12: await base64(file()), passphrase: pass }),
        message,
      },
      { input: `${name} as privateKey`, secret: async () => json({ privateKey: await base64(file()) }), message },
    ]
  }),
  { input: 'JKS, bytes', secret: () => bytes(jks()), message: /^holds a Java key store \(JKS\)\. /, converts: jks },
  {
    input: 'JKS, base64',
    secret: () => base64(jks()),
    message: /^holds a Java key store \(JKS\)\. Convert it with two commands and store the last file: keytool /,
  },
  {
    input: 'JCEKS, base64',
    secret: () => base64(keytool('jceks')),
    message: /^holds a Java key store \(JKS\)\. Convert it with two commands and store the last file: keytool /,
  },
  {
    input: 'UTF-16, as PowerShell writes it',
    secret: async () => Buffer.from(`\ufeff${await text(rsa())}`, 'utf16le'),
    message: /^is not text\. Store it in .* as UTF-8\.$/,
  },
  {
    input: 'OpenSSH RSA',
    secret: () => text(openSshRsa()),
    message:
      /^holds an OpenSSH private key\. Convert it to PKCS#8 and store it again: ssh-keygen -p -m PKCS8 -f <file>$/,
    converts: openSshRsa,
  },
  {
    input: 'OpenSSH ECDSA',
    algorithm: 'ES256',
    secret: () => text(openSshEcdsa()),
    message: /^holds an OpenSSH private key\. Convert it to PKCS#8 /,
    converts: openSshEcdsa,
  },
  {
    input: 'OpenSSH Ed25519 with a passphrase',
    algorithm: 'EdDSA',
    secret: () => text(openSshEd25519Encrypted()),
    message:
      /^holds an OpenSSH Ed25519 key with a passphrase\. Remove the passphrase and store the key again: ssh-keygen -p -N '' -f <file>$/,
    converts: openSshEd25519Encrypted,
  },
  {
    input: 'an OpenSSH Ed25519 key that is cut off',
    algorithm: 'EdDSA',
    secret: async () => oneLine(await text(openSshEd25519())).slice(0, 200),
    message: /^holds an OpenSSH private key that cannot be read\. Check that it was stored completely\.$/,
  },
  ...(['rsa', 'ecdsa', 'ed25519'] as const).map((type): KeyFile => {
    const made = once(() => makeFile('puttygen', '-q', '-t', type, '--new-passphrase', '/dev/null', '-o'))
    return {
      input: `PuTTY ${type}`,
      algorithm: ({ rsa: 'RS256', ecdsa: 'ES384', ed25519: 'EdDSA' } as const)[type],
      secret: () => text(made()),
      message: /^holds a PuTTY key \(\.ppk\)\. Convert it and store the new file: puttygen /,
      converts: made,
    }
  }),
  {
    input: 'an SSH public key',
    secret: async () => {
      const path = await openSshEd25519()
      return readFile(`${path}.pub`)
    },
    message: /^holds an SSH public key\. Store the private key instead\.$/,
  },
  {
    input: 'an ARN',
    secret: async () => 'arn:aws:secretsmanager:eu-central-1:123456789012:secret:the-key-a1b2c3',
    message: /^holds an ARN instead of a key\. Store the private key itself\.$/,
  },
  {
    input: 'hexadecimal digits',
    secret: async () => (await bytes(pkcs8Der(rsa()))).toString('hex'),
    message: /^holds \d+ characters that are neither PEM nor JSON /,
  },
  { input: 'a path', secret: async () => '/etc/keys/key.pem', message: /^holds 17 characters that are neither / },
  {
    input: 'a password',
    secret: async () => 'correct horse battery',
    message: /^holds 21 characters that are neither /,
  },
  {
    input: 'a public key',
    secret: () => text(publicOf(rsa())),
    message: /^holds PEM with the label PUBLIC KEY\. Store a private key in it\.$/,
  },
  {
    input: 'a public key in DER',
    secret: () => bytes(der(rsa(), '-pubout')),
    message: /^holds a public key in DER\. Store the private key instead\.$/,
  },
  {
    input: 'a certificate',
    secret: () => text(certificate()),
    message: /^holds PEM with the label CERTIFICATE\. Store a private key in it\.$/,
  },
  {
    input: 'a certificate in DER',
    secret: async () => bytes(openssl('x509', '-in', await certificate(), '-outform', 'DER')),
    message: /^holds a certificate in DER\. Store its private key instead\.$/,
  },
  {
    input: 'a certificate request',
    secret: async () => text(openssl('req', '-new', '-key', await rsa(), '-subj', '/CN=theClient')),
    message: /^holds PEM with the label CERTIFICATE REQUEST\. Store a private key in it\.$/,
  },
  {
    input: 'a key that is cut off',
    secret: async () => (await text(rsa())).slice(0, 800),
    message: /^holds an incomplete PEM text\. Store a private key in it\.$/,
  },
  {
    input: 'BEGIN and END that differ',
    secret: async () => (await text(rsa())).replace('END PRIVATE', 'END RSA PRIVATE'),
    message: /^holds an incomplete PEM text\. /,
  },
  {
    input: 'a key without some of its lines',
    secret: async () => (await text(rsa())).replace(/\n.{64}\n/, '\n'),
    message: /^holds a PEM PRIVATE KEY that cannot be read\. Check that it was stored completely\.$/,
  },
  {
    input: 'two PEM keys',
    secret: async () => (await text(rsa())) + (await text(rsa())),
    message: /^holds more than one PEM private key\. /,
  },
  {
    input: 'RSA 1024',
    secret: () => text(genpkey('RSA', 'rsa_keygen_bits:1024')),
    message: /^holds a 1024 bit RSA key, but RS256 needs at least 2048 bits\.$/,
  },
  {
    input: 'secp256k1',
    algorithm: 'ES256',
    secret: () => text(genpkey('EC', 'ec_paramgen_curve:secp256k1')),
    message: /^holds an EC key on secp256k1, but ES256 needs an EC key on P-256\.$/,
  },
  {
    input: 'EC for RS256',
    secret: () => text(p256()),
    message: /^holds an EC key on P-256, but RS256 needs an RSA key\.$/,
  },
  {
    input: 'RSA for ES256',
    algorithm: 'ES256',
    secret: () => text(rsa()),
    message: /^holds a 2048 bit RSA key, but ES256 needs an EC key on P-256\.$/,
  },
  {
    input: 'RSA-PSS',
    algorithm: 'PS256',
    secret: () => text(genpkey('RSA-PSS', 'rsa_keygen_bits:2048')),
    message: /^holds a 2048 bit RSA-PSS key, /,
  },
  {
    input: 'Ed448',
    algorithm: 'EdDSA',
    secret: () => text(genpkey('ED448')),
    message: /^holds a key of type ed448, but EdDSA needs an Ed25519 key\.$/,
  },
  {
    input: 'X25519',
    algorithm: 'EdDSA',
    secret: () => text(genpkey('X25519')),
    message: /^holds a key of type x25519, but EdDSA needs an Ed25519 key\.$/,
  },
  {
    input: 'an oct JWK',
    secret: async () => json({ kty: 'oct', k: 'c2VjcmV0' }),
    message: /^holds a symmetric JWK\. /,
  },
  { input: 'nothing', secret: async () => '', message: /^is empty\. Store a private key in it\.$/ },
  { input: 'broken JSON', secret: async () => '{"kty": "RSA', message: /^begins like JSON but is not valid JSON\. / },
  {
    input: 'the certificate of another key',
    secret: async () => (await text(p256())) + (await text(certificate())),
    message: /^holds a certificate that does not belong to its private key\. /,
  },
]

for (const row of works)
  test(`a secret that is ${row.input} signs`, async (t) => {
    const content = await startIfThere(t, row.secret)
    if (content !== undefined) await assertSigns(row, content, row.key && (await row.key()))
  })

for (const row of wrongSecrets)
  test(`a secret that is ${row.input} is named, and none of it is shown`, async (t) => {
    const content = await startIfThere(t, row.secret)
    if (content === undefined) return
    const message = await refusalOf(row, content)
    assert.match(message, row.message ?? /./)
    assertShowsNothing(message, content)
    const file = await row.converts?.()
    if (file !== undefined) await assertSigns(row, await readFile(await followAdvice(message, file)))
  })

const location = 'tokenwell/local/the-key'

async function signerOf({ algorithm = 'RS256', alias }: KeyFile, content: string | Buffer): Promise<Signer> {
  const store = fileSecrets(await temporaryFolder({ after }, { 'the-key': content }), 'local')
  const signers = createSignerCache(createSecretCache(store, Date.now), Date.now)
  const key = { jwtBuilder: 'theBuilder', location, ...(alias !== undefined && { alias }) }
  return await signers.current(key, algorithm)
}

/** @param original the file of the key that must have signed; left out if only the tool has the key */
async function assertSigns(row: KeyFile, content: string | Buffer, original?: string): Promise<void> {
  const { algorithm = 'RS256', kid } = row
  const signer = await signerOf(row, content)
  if (kid !== undefined) assert.equal(signer.keyId, kid)
  const signed = await signer.sign({ alg: algorithm }, { some: 'claim' })
  const key = original ? createPrivateKey(await readFile(original)) : readKey(content)
  const { payload } = await jwtVerify(signed.reveal(), createPublicKey(key), { algorithms: [algorithm] })
  assert.deepEqual(payload, { some: 'claim' })
}

function readKey(content: string | Buffer): KeyObject {
  const [found] = readSigningKeys(location, new Secret(secretText(Buffer.from(content)) ?? ''))
  assert.ok(found)
  return found.privateKey
}

/** The message after the name of the secret. */
async function refusalOf(row: KeyFile, content: string | Buffer): Promise<string> {
  const error: unknown = await signerOf(row, content).then(
    () => assert.fail('it signs'),
    (reason: unknown) => reason,
  )
  assert.ok(error instanceof KeyStoreError || error instanceof SecretError, String(error))
  const prefix = `The secret ${location} `
  assert.ok(error.message.startsWith(prefix), error.message)
  return error.message.slice(prefix.length)
}

/** The message has no 12 characters of the secret or of its decoded base64. PEM labels and member names are not secret. */
function assertShowsNothing(message: string, content: string | Buffer): void {
  const shown = message.replace(/private key in [\w.-]+|PEM( with the label)? [A-Z ]+|privateKey/g, '')
  for (const form of [String(content), Buffer.from(String(content), 'base64').toString('latin1')])
    for (let start = 0; start + 12 <= form.length; start++)
      assert.ok(!shown.includes(form.slice(start, start + 12)), `the message shows ${form.slice(start, start + 12)}`)
}

/** Runs the commands of a message, with the passphrase if they ask for it, and returns the path of the file that they write. */
async function followAdvice(message: string, file: string): Promise<string> {
  let current = file
  for (const [command] of message.matchAll(/(openssl|keytool|ssh-keygen|puttygen) [^,;)]*/g)) {
    const [tool = '', ...parameters] = command.trim().split(/ (?!file>)/)
    const [from, to] = [current, newPath()]
    const paths = parameters.map((each) => each.replace('<new file>', to).replace('<file>', from).replace("''", ''))
    await runKeyTool(tool as KeyTool, ...paths, ...answersOf(tool, parameters))
    if (command.includes('<new file>')) current = to
  }
  return current
}

/** The answers to the questions of the tool. */
function answersOf(tool: string, parameters: readonly string[]): readonly string[] {
  if (tool === 'openssl' && parameters[0] === 'pkcs8') return ['-nocrypt', '-passin', `pass:${pass}`]
  if (tool === 'openssl') return ['-passin', `pass:${pass}`]
  if (tool === 'keytool') return ['-srcstorepass', pass, '-deststorepass', pass]
  if (tool !== 'ssh-keygen') return []
  return ['-q', '-P', parameters.includes('-N') ? pass : '', ...(parameters.includes('-N') ? [] : ['-N', ''])]
}
