import assert from 'node:assert/strict'
import { createHash, createPublicKey, generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { inspect } from 'node:util'
import { jwtVerify } from 'jose'
import { createKeyCertificate } from '../../../infra/local/certificate-authority.ts'
import { Secret } from '../../../lib/secret/secret.ts'
import { createLocalSigner } from '../../../lib/signing/signer.ts'
import type { SigningKey } from '../../../lib/signing/signing-key.ts'
import { KeyStoreError } from '../../../lib/signing/signing-key.ts'
import { readSigningKeys } from '../../../lib/signing/signing-secret.ts'

const location = 'tokenwell/test/the-key'
const passphrase = randomBytes(18).toString('base64url')

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey
const p256 = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
const ed25519 = generateKeyPairSync('ed25519').privateKey
const theKeys = {
  RS256: rsa,
  ES256: p256,
  ES384: generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey,
  ES512: generateKeyPairSync('ec', { namedCurve: 'P-521' }).privateKey,
  EdDSA: ed25519,
}
const rsaCertificate = await createKeyCertificate(rsa, 'theClient')

function read(text: string): readonly SigningKey[] {
  return readSigningKeys(location, new Secret(text))
}

function readOne(text: string): SigningKey {
  const [only, ...others] = read(text)
  assert.ok(only && others.length === 0)
  return only
}

/** The public part of the original verifies its signature: it is the same key, and it works. */
async function assertIsKey(found: SigningKey | undefined, original: KeyObject): Promise<void> {
  assert.ok(found)
  const [alg] = Object.entries(theKeys).find(([, key]) => key === original) ?? ['RS256']
  const signed = await createLocalSigner(found.privateKey, found).sign({ alg }, { some: 'claim' })
  const { payload } = await jwtVerify(signed.reveal(), createPublicKey(original), { algorithms: [alg] })
  assert.deepEqual(payload, { some: 'claim' })
}

function defaultKeyId(key: KeyObject): string {
  return createHash('sha256')
    .update(createPublicKey(key).export({ type: 'spki', format: 'der' }))
    .digest('base64url')
}

const pkcs8 = (key: KeyObject) => key.export({ type: 'pkcs8', format: 'pem' }).toString()
const sec1 = (key: KeyObject) => key.export({ type: 'sec1', format: 'pem' }).toString()
const jwk = (key: KeyObject) => key.export({ format: 'jwk' })
const base64 = (text: string) => Buffer.from(text).toString('base64')
const inLines = (text: string) => text.replace(/.{76}/g, '$&\n')

const encrypted = { cipher: 'aes-256-cbc', passphrase } as const
const encryptedPkcs8 = rsa.export({ type: 'pkcs8', format: 'pem', ...encrypted }).toString()
const encryptedPkcs1 = rsa.export({ type: 'pkcs1', format: 'pem', ...encrypted }).toString()
const encryptedSec1 = p256.export({ type: 'sec1', format: 'pem', ...encrypted }).toString()

const forms: Readonly<Record<string, readonly [text: string, key: KeyObject]>> = {
  ...Object.fromEntries(Object.entries(theKeys).map(([alg, key]) => [`PKCS#8 PEM for ${alg}`, [pkcs8(key), key]])),
  ...Object.fromEntries(
    Object.entries(theKeys).map(([alg, key]) => [`a JWK for ${alg}`, [JSON.stringify(jwk(key)), key]]),
  ),
  'PKCS#1 PEM': [rsa.export({ type: 'pkcs1', format: 'pem' }).toString(), rsa],
  'SEC1 PEM on P-256': [sec1(theKeys.ES256), theKeys.ES256],
  'SEC1 PEM on P-384': [sec1(theKeys.ES384), theKeys.ES384],
  'SEC1 PEM on P-521': [sec1(theKeys.ES512), theKeys.ES512],
  'SEC1 PEM behind its curve parameters': [
    `-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n${sec1(p256)}`,
    p256,
  ],
  'JSON with a PEM privateKey': [JSON.stringify({ privateKey: pkcs8(rsa) }), rsa],
  'JSON with a JWK as privateKey': [JSON.stringify({ privateKey: jwk(p256) }), p256],
  'JSON with a PEM privateKey in base64': [JSON.stringify({ privateKey: base64(pkcs8(rsa)) }), rsa],
  'JSON with an encrypted PKCS#8 key and its passphrase': [
    JSON.stringify({ privateKey: encryptedPkcs8, passphrase }),
    rsa,
  ],
  'JSON with a traditionally encrypted PKCS#1 key and its passphrase': [
    JSON.stringify({ privateKey: encryptedPkcs1, passphrase }),
    rsa,
  ],
  'JSON with a traditionally encrypted SEC1 key and its passphrase': [
    JSON.stringify({ privateKey: encryptedSec1, passphrase }),
    p256,
  ],
  'JSON with a traditionally encrypted key whose line ends are escaped': [
    JSON.stringify({ privateKey: encryptedPkcs1.replaceAll('\n', '\\n'), passphrase }),
    rsa,
  ],
  'a JWK set of one key': [JSON.stringify({ keys: [jwk(ed25519)] }), ed25519],
  'PEM in base64': [base64(pkcs8(rsa)), rsa],
  'JSON with a JWK as text': [JSON.stringify({ privateKey: JSON.stringify(jwk(p256)) }), p256],
  'JSON with a JWK as text in base64': [JSON.stringify({ privateKey: base64(JSON.stringify(jwk(p256))) }), p256],
  'a traditionally encrypted key on one line with blanks': [
    JSON.stringify({ privateKey: encryptedPkcs1.replaceAll('\n', ' '), passphrase }),
    rsa,
  ],
  'PEM in base64 of several lines': [inLines(base64(pkcs8(rsa))), rsa],
  'PEM in base64url': [Buffer.from(pkcs8(rsa)).toString('base64url'), rsa],
  'a JWK in base64': [base64(JSON.stringify(jwk(p256))), p256],
  'JSON with a privateKey, all in base64': [base64(JSON.stringify({ privateKey: pkcs8(rsa) })), rsa],
  'PEM with line ends escaped once': [pkcs8(rsa).replaceAll('\n', '\\n'), rsa],
  'PEM with line ends escaped twice': [pkcs8(rsa).replaceAll('\n', '\\\\n'), rsa],
  'PEM with CRLF': [pkcs8(rsa).replaceAll('\n', '\r\n'), rsa],
  'PEM with CRLF escaped once': [pkcs8(rsa).replaceAll('\n', '\\r\\n'), rsa],
  'PEM on one line with blanks for line ends': [pkcs8(rsa).replaceAll('\n', ' '), rsa],
  'PEM on one line without any line end': [pkcs8(rsa).replaceAll('\n', ''), rsa],
  'PEM with indented lines': [pkcs8(rsa).replaceAll(/^/gm, '    '), rsa],
  'PEM without a line break at its end': [pkcs8(rsa).trimEnd(), rsa],
  'PEM behind a byte order mark': [`\ufeff${pkcs8(rsa)}`, rsa],
  'PEM in quotation marks, as JSON text': [JSON.stringify(pkcs8(rsa)), rsa],
  'a PEM private key beside its public key': [
    `${createPublicKey(rsa).export({ type: 'spki', format: 'pem' })}${pkcs8(rsa)}`,
    rsa,
  ],
}

for (const [form, [text, key]] of Object.entries(forms))
  test(`a private key is read from ${form}, and signs`, async () => {
    const found = readOne(text)
    await assertIsKey(found, key)
    assert.deepEqual(found.certificates, [])
  })

test('a key without a kid gets base64url(SHA-256(SubjectPublicKeyInfo)), in every form', () => {
  for (const [text, key] of Object.values(forms)) assert.equal(readOne(text).keyId, defaultKeyId(key))
})

test('an empty kid and a null kid count as missing', () => {
  for (const kid of ['', null]) {
    assert.equal(readOne(JSON.stringify({ ...jwk(p256), kid })).keyId, defaultKeyId(p256))
    assert.equal(readOne(JSON.stringify({ privateKey: pkcs8(rsa), kid })).keyId, defaultKeyId(rsa))
  }
})

test('a kid is read inside a JWK, beside a JWK and beside PEM', () => {
  assert.equal(readOne(JSON.stringify({ ...jwk(p256), kid: 'inside' })).keyId, 'inside')
  assert.equal(readOne(JSON.stringify({ privateKey: jwk(p256), kid: 'beside' })).keyId, 'beside')
  assert.equal(readOne(JSON.stringify({ privateKey: pkcs8(rsa), kid: 'beside' })).keyId, 'beside')
})

test('a JWK set is read completely and in order, each key with its own kid', async () => {
  const found = read(
    JSON.stringify({ keys: [{ ...jwk(ed25519), kid: 'first' }, jwk(rsa), { ...jwk(p256), kid: 'last' }] }),
  )
  assert.deepEqual(
    found.map(({ keyId }) => keyId),
    ['first', defaultKeyId(rsa), 'last'],
  )
  const [first, second, third] = found
  await assertIsKey(first, ed25519)
  await assertIsKey(second, rsa)
  await assertIsKey(third, p256)
})

const rsaCertificateDer = Buffer.from(rsaCertificate.replace(/-----[A-Z ]+-----/g, ''), 'base64')
const certified: Readonly<Record<string, string>> = {
  'after its PEM key': pkcs8(rsa) + rsaCertificate,
  'before its PEM key': rsaCertificate + pkcs8(rsa),
  'after its PEM key, all line ends escaped': (pkcs8(rsa) + rsaCertificate).replaceAll('\n', '\\n'),
  'after its PEM key, all in base64': base64(pkcs8(rsa) + rsaCertificate),
  'in PEM beside a PEM key in JSON': JSON.stringify({ privateKey: pkcs8(rsa), certificate: rsaCertificate }),
  'in PEM in base64 beside a PEM key in JSON': JSON.stringify({
    privateKey: pkcs8(rsa),
    certificate: base64(rsaCertificate),
  }),
  'in DER in base64 beside a PEM key in JSON': JSON.stringify({
    privateKey: pkcs8(rsa),
    certificate: rsaCertificateDer.toString('base64'),
  }),
  'in PEM beside a JWK in JSON': JSON.stringify({ privateKey: jwk(rsa), certificate: rsaCertificate }),
  'in the x5c of a JWK': JSON.stringify({ ...jwk(rsa), x5c: [rsaCertificateDer.toString('base64')] }),
  'in the x5c of a JWK in a set': JSON.stringify({
    keys: [{ ...jwk(rsa), x5c: [rsaCertificateDer.toString('base64')] }],
  }),
  'beside an encrypted key': JSON.stringify({ privateKey: encryptedPkcs8, passphrase, certificate: rsaCertificate }),
}

for (const [place, text] of Object.entries(certified))
  test(`the certificate of a key is read ${place}`, async () => {
    const found = readOne(text)
    await assertIsKey(found, rsa)
    assert.deepEqual(found.certificates[0]?.raw, rsaCertificateDer)
  })

const publicPem = createPublicKey(rsa).export({ type: 'spki', format: 'pem' }).toString()
const { d: _d, ...publicJwk } = jwk(p256)
const openSsh = [
  '-----BEGIN OPENSSH PRIVATE KEY-----',
  inLines(randomBytes(300).toString('base64')),
  '-----END OPENSSH PRIVATE KEY-----\n',
].join('\n')
const otherCertificate = await createKeyCertificate(p256, 'theClient')
const randomText = `${randomBytes(40).toString('base64url')}, ${randomBytes(40).toString('base64url')}`
/** Its first byte begins neither JSON nor PEM. */
const randomBase64 = Buffer.concat([Buffer.from([0xff]), randomBytes(89)]).toString('base64')

const refusals: Readonly<Record<string, readonly [text: string, complaint: RegExp]>> = {
  'a public key': [publicPem, /holds PEM with the label PUBLIC KEY\. Store a private key in it\.$/],
  'a certificate alone': [rsaCertificate, /holds PEM with the label CERTIFICATE\. Store a private key in it\.$/],
  'a certificate and a public key': [
    rsaCertificate + publicPem,
    /holds PEM with the label CERTIFICATE and PUBLIC KEY\. /,
  ],
  'a public key in base64': [base64(publicPem), /holds PEM with the label PUBLIC KEY\. /],
  'an OpenSSH private key': [openSsh, /holds an OpenSSH private key\. Convert it to PKCS#8 /],
  'a public JWK': [JSON.stringify(publicJwk), /holds a public JWK without d\. /],
  'a public JWK in a set': [
    JSON.stringify({ keys: [jwk(rsa), publicJwk] }),
    /holds a public JWK without d \(key 2 of the set\)\. /,
  ],
  'a symmetric JWK': [
    JSON.stringify({ kty: 'oct', k: randomBytes(48).toString('base64url') }),
    /holds a symmetric JWK\. For an HS\* algorithm, store the key as plain text /,
  ],
  'a JWK on an unknown curve': [JSON.stringify({ ...jwk(p256), crv: 'P-999' }), /holds a JWK that cannot be read\. /],
  'a JWK of an unknown type': [JSON.stringify({ ...jwk(p256), kty: 'XYZ' }), /holds a JWK that cannot be read\. /],
  'an entry of a JWK set that is no JWK': [JSON.stringify({ keys: [null] }), /holds a public JWK without d\. /],
  'a JWK set without keys': ['{"keys":[]}', /holds a JWK set without keys\. /],
  'an encrypted PKCS#8 key alone': [encryptedPkcs8, /holds an encrypted PEM private key without its passphrase\. /],
  'a traditionally encrypted key alone': [
    encryptedPkcs1,
    /holds an encrypted PEM private key without its passphrase\. /,
  ],
  'an encrypted key in JSON without its passphrase': [
    JSON.stringify({ privateKey: encryptedPkcs8 }),
    /holds an encrypted PEM private key without its passphrase\. /,
  ],
  'an encrypted PKCS#8 key with a wrong passphrase': [
    JSON.stringify({ privateKey: encryptedPkcs8, passphrase: randomBytes(18).toString('base64url') }),
    /holds an encrypted PEM private key that its passphrase does not decrypt\. /,
  ],
  'a traditionally encrypted key with a wrong passphrase': [
    JSON.stringify({ privateKey: encryptedPkcs1, passphrase: randomBytes(18).toString('base64url') }),
    /holds an encrypted PEM private key that its passphrase does not decrypt\. /,
  ],
  nothing: ['', /is empty\. Store a private key in it\.$/],
  'blanks and line ends': [' \r\n\t\n', /is empty\. Store a private key in it\.$/],
  'random text': [randomText, new RegExp(`holds ${randomText.length} characters that are neither PEM nor JSON `)],
  'random bytes in base64': [randomBase64, /holds 120 characters that are neither PEM nor JSON /],
  'JSON with other members': [
    JSON.stringify({ user: 'alice', password: randomBytes(24).toString('base64url') }),
    /holds JSON with 2 members, but without kty, keys and privateKey\. /,
  ],
  'JSON with members that look like secrets': [
    JSON.stringify({ [randomBytes(24).toString('hex')]: 1, thisIsTheVerySecretPassword: 1 }),
    /holds JSON with 2 members, /,
  ],
  'an empty JSON object': ['{}', /holds JSON with 0 members, /],
  'a list of JWKs': [
    JSON.stringify([jwk(rsa)]),
    /begins with \[\. Store several keys as \{ "keys": \[ \.\.\. \] \}\.$/,
  ],
  'a JWK whose halves are of different EC keys': [
    JSON.stringify({ ...jwk(p256), d: jwk(generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey).d }),
    /holds a JWK whose private and public parts belong to different keys\. /,
  ],
  'a JWK whose halves are of different Ed25519 keys': [
    JSON.stringify({ ...jwk(ed25519), x: jwk(generateKeyPairSync('ed25519').privateKey).x }),
    /holds a JWK whose private and public parts belong to different keys\. /,
  ],
  'a certificate that is no text': [
    JSON.stringify({ privateKey: pkcs8(rsa), certificate: [rsaCertificate] }),
    /holds a certificate that is not a text\. Write it as PEM, or as DER in base64\.$/,
  ],
  'a certificate beside a JWK set': [
    JSON.stringify({ keys: [jwk(rsa)], certificate: rsaCertificate }),
    /holds a certificate beside a JWK set\. Write the certificate into x5c of its key\.$/,
  ],
  'JSON with text of no form as privateKey': [
    JSON.stringify({ privateKey: randomText }),
    /Store a private key in it\.$/,
  ],
  'two PEM private keys': [
    pkcs8(rsa) + pkcs8(p256),
    /holds more than one PEM private key\. .* JWK set, each with its kid/,
  ],
  'PEM whose end is missing': [pkcs8(rsa).slice(0, 900), /holds an incomplete PEM text\. Store a private key in it\.$/],
  'PEM with lines missing in its middle': [
    pkcs8(rsa)
      .split('\n')
      .filter((_line, index) => index < 5 || index > 9)
      .join('\n'),
    /holds a PEM PRIVATE KEY that cannot be read\. Check that it was stored completely\.$/,
  ],
  'PEM with nothing between its ends': [
    '-----BEGIN RSA PRIVATE KEY-----\n-----END RSA PRIVATE KEY-----\n',
    /holds a PEM RSA PRIVATE KEY that cannot be read\. /,
  ],
  'JSON that is cut off': [
    JSON.stringify({ privateKey: pkcs8(rsa) }).slice(0, 600),
    /begins like JSON but is not valid JSON\. /,
  ],
  'a JWK that is cut off': [JSON.stringify(jwk(rsa)).slice(0, 700), /begins like JSON but is not valid JSON\. /],
  'the certificate of another key after the PEM key': [
    pkcs8(rsa) + otherCertificate,
    /holds a certificate that does not belong to its private key\. /,
  ],
  'the certificate of another key in JSON': [
    JSON.stringify({ privateKey: pkcs8(rsa), certificate: otherCertificate }),
    /holds a certificate that does not belong to its private key\. /,
  ],
  'the certificate of another key beside a JWK': [
    JSON.stringify({ privateKey: jwk(rsa), certificate: otherCertificate }),
    /holds a certificate that does not belong to its private key\. /,
  ],
  'a certificate that is none': [
    JSON.stringify({ privateKey: pkcs8(rsa), certificate: randomText }),
    /holds a certificate that cannot be read\. /,
  ],
}

for (const [content, [text, complaint]] of Object.entries(refusals))
  test(`a secret that holds ${content} is refused with a message that describes it without showing it`, () => {
    const error = refusalOf(text)
    assert.equal(error.code, 'key_store')
    assert.equal(error.location, location)
    assert.ok(error.message.startsWith(`The secret ${location} `), error.message)
    assert.match(error.message, complaint)
    assertShowsNothing(error, text)
  })

function refusalOf(text: string): KeyStoreError {
  try {
    read(text)
  } catch (error) {
    assert.ok(error instanceof KeyStoreError)
    return error
  }
  assert.fail('the secret was accepted')
}

/** The message has no part of the secret or of its decoded base64. PEM labels are not secret. */
function assertShowsNothing(error: Error, text: string): void {
  const shown = [error.message, error.stack, inspect(error, { depth: Infinity, showHidden: true })].join('\n')
  for (const form of [text, Buffer.from(text, 'base64').toString('latin1')]) {
    for (const content of form.split(/-----(?:BEGIN|END) [A-Z0-9 ]+-----/))
      for (let start = 0; start + 16 <= content.length; start++) {
        const piece = content.slice(start, start + 16)
        assert.ok(!shown.includes(piece), 'the error shows a piece of the secret')
      }
  }
}
