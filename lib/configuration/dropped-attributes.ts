const secretIsReadAgain = 'Tokenwell reads a secret again when it may have changed. Leave it out.'
const clientCertificate = 'Tokenwell is the TLS client. To present a certificate, set keyStoreRef.'
const chosenCiphers = 'Node.js chooses the ciphers of TLS 1.2 and 1.3. Leave it out.'
const loggedInSubject =
  'It copies attributes of a logged-in user, but Tokenwell has no logged-in user. Set amr in claims if you need it.'
const encryptedAssertion = 'Tokenwell signs assertions and does not encrypt them (RFC 7523 section 3). Leave it out.'

/** Attributes of z/OS Connect that Tokenwell does not have, each with the finding that the operator gets. */
export const droppedAttributes: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  jwtBuilder: {
    claims:
      'It names attributes of a user registry, which an OAuth client does not have. Set claims on the oAuthTokenConfig element.',
    amrInclude: loggedInSubject,
    amrAttributes: loggedInSubject,
    elapsedNBF: 'Its name in z/OS Connect is now nbfOffset. Use nbfOffset.',
    jwkMaxKeys: 'It has no effect: a key stays published until its last assertion has expired. Leave it out.',
    trustStoreRef: encryptedAssertion,
    keyManagementKeyAlgorithm: encryptedAssertion,
    keyManagementKeyAlias: encryptedAssertion,
    contentEncryptionAlgorithm: encryptedAssertion,
  },
  authData: {
    password:
      'An element never holds a secret. Keep the password in the secret store and write its name in passwordSecret.',
  },
  keyStore: {
    password:
      'An element never holds a secret. Write the passphrase of an encrypted key into the same secret: JSON with privateKey or pkcs12, and passphrase.',
    type: 'Tokenwell finds the format by the content: PEM, JWK, JWK set, PKCS#12 or JSON. Leave it out.',
    provider: 'Node.js reads the keys, without a Java provider. Leave it out.',
    fileBased: 'Keys are in the secret store, never in a SAF key ring. Leave it out.',
    readOnly: 'Tokenwell never writes to a key store. Leave it out.',
    pollingRate: secretIsReadAgain,
    updateTrigger: secretIsReadAgain,
    initializeAtStartup: 'Tokenwell reads a key at its first use. Leave it out.',
    keyEntry: 'Write the passphrase of a key into the same secret: JSON with privateKey or pkcs12, and passphrase.',
  },
  ssl: {
    clientAuthentication: clientCertificate,
    clientAuthenticationSupported: clientCertificate,
    clientKeyAlias: 'A client certificate has its own secret. Name the keyStore element of that secret in keyStoreRef.',
    serverKeyAlias: 'Tokenwell is the TLS client, not the server. Leave it out.',
    enabledCiphers: chosenCiphers,
    securityLevel: chosenCiphers,
    enforceCipherOrder: chosenCiphers,
    outboundConnection: 'Name the ssl element in sslCertsRef of each element that uses it. Leave this attribute out.',
    verifyHostname: 'Tokenwell always verifies host names. Leave it out.',
    trustDefaultCerts: 'To trust the CA list of Node.js, leave out trustStoreRef. Leave this attribute out too.',
  },
  proxyConfig: { type: 'Tokenwell uses HTTP CONNECT with every proxy. Leave it out.' },
  sslDefault: { outboundSSLRef: 'Tokenwell makes outbound connections only. Use sslRef.' },
}
