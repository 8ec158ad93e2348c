const encryptedAssertion = 'assertions are signed, not encrypted (RFC 7523 section 3); leave it out.'

/** Attributes of the original that have no place here, each with the sentence that its user gets. */
export const droppedAttributes: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  jwtBuilder: {
    claims:
      'it names attributes of a user registry, which an OAuth client has none of; set claims on oAuthTokenConfig.',
    amrInclude:
      'it copies attributes of a logged-in subject, and there is none here; set amr in claims if you need it.',
    amrAttributes:
      'it copies attributes of a logged-in subject, and there is none here; set amr in claims if you need it.',
    elapsedNBF: 'the original renamed it; use nbfOffset.',
    jwkMaxKeys: 'a key stays published as long as its last assertion may live; there is no count to set.',
    trustStoreRef: encryptedAssertion,
    keyManagementKeyAlgorithm: encryptedAssertion,
    keyManagementKeyAlias: encryptedAssertion,
    contentEncryptionAlgorithm: encryptedAssertion,
  },
  authData: {
    password: 'a secret never stands in an element; keep it in the secret store and give its name in passwordSecret.',
  },
  keyStore: {
    password:
      'a secret never stands in an element; give an encrypted key its passphrase in the secret: JSON with privateKey or pkcs12, and passphrase.',
    type: 'the content tells its format: PEM, JWK, JWK set, PKCS#12 or JSON; leave it out.',
    provider: 'keys are read by Node.js, no Java provider is involved; leave it out.',
    fileBased: 'keys are kept in the secret store, never in a SAF key ring; leave it out.',
    readOnly: 'a key store is never written to; leave it out.',
    pollingRate: 'a secret is read again when it may have changed; leave it out.',
    updateTrigger: 'a secret is read again when it may have changed; leave it out.',
    initializeAtStartup: 'a key is read at its first use; leave it out.',
    keyEntry: 'give a key its passphrase in the secret: JSON with privateKey or pkcs12, and passphrase.',
  },
  ssl: {
    clientAuthentication: 'Tokenwell is the TLS client: give keyStoreRef to present a certificate.',
    clientAuthenticationSupported: 'Tokenwell is the TLS client: give keyStoreRef to present a certificate.',
    clientKeyAlias: 'a client certificate has a secret of its own; name it by keyStoreRef.',
    serverKeyAlias: 'Tokenwell is the TLS client; leave it out.',
    enabledCiphers: 'Node.js chooses the ciphers of TLS 1.2 and 1.3; leave it out.',
    securityLevel: 'Node.js chooses the ciphers of TLS 1.2 and 1.3; leave it out.',
    enforceCipherOrder: 'Node.js chooses the ciphers of TLS 1.2 and 1.3; leave it out.',
    outboundConnection: 'name the ssl element by sslCertsRef where it is to be used.',
    verifyHostname: 'host names are always verified; leave it out.',
    trustDefaultCerts: 'leave out trustStoreRef to trust the CA list of Node.js.',
  },
  proxyConfig: { type: 'a proxy is spoken to by HTTP CONNECT, whatever its type; leave it out.' },
  sslDefault: { outboundSSLRef: 'Tokenwell makes outbound connections only; use sslRef.' },
}

const otherAuthentication = 'Tokenwell obtains OAuth 2.0 tokens only; use oAuthConfig.'

/** Kinds of the original that have no place here. */
export const droppedKinds: Readonly<Record<string, string>> = {
  authToken: otherAuthentication,
  authTokenLocal: otherAuthentication,
}
