import assert from 'node:assert/strict'
import { createHash, generateKeyPairSync, X509Certificate } from 'node:crypto'
import { test } from 'node:test'
import { decodeProtectedHeader } from 'jose'
import { createKeyCertificate } from '../../../infra/local/certificate-authority.ts'
import { signatureAlgorithms } from '../../../lib/configuration/signature-algorithm.ts'
import { createHeader, createSignedAssertions, signAssertion, thumbprintIn } from '../../../lib/signing/assertion.ts'
import { createLocalSigner } from '../../../lib/signing/signer.ts'
import { KeyStoreError } from '../../../lib/signing/signing-key.ts'
import { plainAssertion } from '../../support/elements/plain-connection.ts'

const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
const certificatePem = await createKeyCertificate(privateKey, 'theClient')
const certificate = new X509Certificate(certificatePem)
/** The digest of the PEM body itself, without the class that Tokenwell reads certificates with. */
const certificateDer = Buffer.from(certificatePem.replace(/-----[A-Z ]+-----/g, ''), 'base64')
const digest = (name: string) => createHash(name).update(certificateDer).digest('base64url')

const plainSigner = createLocalSigner(privateKey, { keyId: 'theKey' })
const certifiedSigner = createLocalSigner(privateKey, { keyId: 'theKey', certificates: [certificate] })

test('a plain header has alg, typ and kid, and no thumbprint even where the key has a certificate', () => {
  assert.deepEqual(createHeader(plainAssertion(), certifiedSigner), { alg: 'RS256', typ: 'JWT', kid: 'theKey' })
})

test('alg is the algorithm that the jwtBuilder names', () => {
  for (const algorithm of signatureAlgorithms)
    assert.equal(createHeader(plainAssertion({ algorithm }), plainSigner).alg, algorithm)
})

test('typ is the one of the jwtBuilder', () => {
  const header = createHeader(plainAssertion({ type: 'client-authentication+jwt' }), plainSigner)
  assert.equal(header.typ, 'client-authentication+jwt')
})

test('typ is absent where the operator removed it', () => {
  const { type: _type, ...assertion } = plainAssertion()
  assert.deepEqual(createHeader(assertion, plainSigner), { alg: 'RS256', kid: 'theKey' })
})

test('a shared key has no id, so that kid is absent', () => {
  const header = createHeader(plainAssertion({ algorithm: 'HS256' }), createLocalSigner(privateKey, {}))
  assert.deepEqual(header, { alg: 'HS256', typ: 'JWT' })
})

test('x5t#S256 is the SHA-256 digest of the certificate in DER, and x5t is absent', () => {
  const header = createHeader(plainAssertion({ certificateThumbprint: 'x5t#S256' }), certifiedSigner)
  assert.deepEqual(header, { alg: 'RS256', typ: 'JWT', kid: 'theKey', 'x5t#S256': digest('sha256') })
})

test('x5t is the SHA-1 digest of the certificate in DER, and x5t#S256 is absent', () => {
  const header = createHeader(plainAssertion({ certificateThumbprint: 'x5t' }), certifiedSigner)
  assert.deepEqual(header, { alg: 'RS256', typ: 'JWT', kid: 'theKey', x5t: digest('sha1') })
})

for (const certificateThumbprint of ['x5t', 'x5t#S256'] as const)
  test(`a key without a certificate causes an error that names the secret and ${certificateThumbprint}`, () => {
    assert.throws(
      () => createHeader(plainAssertion({ certificateThumbprint }), plainSigner),
      (error) => {
        assert.ok(error instanceof KeyStoreError)
        assert.equal(error.location, 'tokenwell/test/the-key')
        assert.match(error.message, /^The secret tokenwell\/test\/the-key holds no certificate/)
        const [, otherwise] = error.message.split(`certificateThumbprint is ${certificateThumbprint}. `)
        assert.match(String(otherwise), /beside the key, or set certificateThumbprint to none\.$/)
        return true
      },
    )
  })

test('x5c is the certificate and its chain in base64, the certificate of the key first', async () => {
  const { privateKey: caKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const ca = new X509Certificate(await createKeyCertificate(caKey, 'theCa'))
  const signer = createLocalSigner(privateKey, { keyId: 'theKey', certificates: [certificate, ca] })
  const header = createHeader(plainAssertion({ hasCertificateChain: true }), signer)
  assert.deepEqual(header, {
    ...{ alg: 'RS256', typ: 'JWT', kid: 'theKey' },
    x5c: [certificateDer.toString('base64'), ca.raw.toString('base64')],
  })
  assert.match(header.x5c?.join('') ?? '', /[+/]/, 'base64url would be wrong (RFC 7515 section 4.1.6)')
})

test('kid is absent where omit names it', () => {
  const header = createHeader(plainAssertion({ hasCertificateChain: true, omitted: ['kid'] }), certifiedSigner)
  assert.deepEqual(header, { alg: 'RS256', typ: 'JWT', x5c: [certificateDer.toString('base64')] })
})

test('x5c without a certificate causes an error that names the secret', () => {
  assert.throws(() => createHeader(plainAssertion({ hasCertificateChain: true }), plainSigner), {
    code: 'key_store',
    message: /^The secret tokenwell\/test\/the-key holds no certificate, but x5c is true\. .* or take x5c out\.$/,
  })
})

test("the operator's members are in the header as they are written", () => {
  const own = { jku: 'https://keys.example/jwks', cty: 'JWT', tenant: { name: 'blue' }, list: [1, true] }
  assert.deepEqual(createHeader(plainAssertion({ header: own }), plainSigner), {
    ...{ alg: 'RS256', typ: 'JWT', kid: 'theKey' },
    ...own,
  })
})

test('the thumbprint for a log is that of the certificate in the header, in whatever form it is there', () => {
  const of = (changes: Parameters<typeof plainAssertion>[0]) =>
    thumbprintIn(createHeader(plainAssertion(changes), certifiedSigner))
  assert.equal(of({}), undefined)
  assert.equal(of({ certificateThumbprint: 'x5t' }), digest('sha1'))
  assert.equal(of({ certificateThumbprint: 'x5t#S256' }), digest('sha256'))
  assert.equal(of({ hasCertificateChain: true }), digest('sha256'))
})

test('the header that was created is the header that is signed', async () => {
  const assertion = plainAssertion({ certificateThumbprint: 'x5t#S256', type: 'client-authentication+jwt' })
  const signed = await signAssertion(assertion, certifiedSigner, { now: 1_700_000_000_000, jwtId: 'theJwtId' })
  assert.deepEqual(decodeProtectedHeader(signed.assertion.reveal()), createHeader(assertion, certifiedSigner))
})

test('the claims of one assertion overwrite those of the elements, and leave the others', async () => {
  const assertion = plainAssertion({ claims: { tenant: 'of the elements', team: 'orders' } })
  const maker = createSignedAssertions(assertion, plainSigner)
  const { claims } = await maker.make({ now: 1_700_000_000_000, jwtId: 'the-id' }, { tenant: 'of the request' })
  assert.deepEqual([claims['tenant'], claims['team']], ['of the request', 'orders'])
})
