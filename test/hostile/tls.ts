import { constants } from 'node:crypto'
import type { Socket } from 'node:net'
import { createAuthority, type Oddity } from './authority.ts'
import {
  always,
  type Behaviour,
  type Expectation,
  type Family,
  fine,
  fineText,
  hurried,
  leftAlone,
  repeated,
  timeOut,
  token,
} from './behaviour.ts'

const script = always(() => fine())

const shows = (name: string, oddity: Oddity, expectation: Expectation = leftAlone): Behaviour => ({
  name: `a certificate ${name}`,
  script,
  endpoint: async (authority) => ({ certificate: await authority.issue(oddity) }),
  ...expectation,
})

const speaks = (name: string, tls: object, expectation: Expectation): Behaviour => ({
  name,
  script,
  endpoint: async () => ({ tls }),
  ...expectation,
})

/** What happens on the connection in place of a TLS handshake. */
const instead = (name: string, act: (socket: Socket) => void, expectation: Expectation): Behaviour => ({
  name,
  script,
  endpoint: async () => ({
    takesOver(socket) {
      act(socket)
      return true
    },
  }),
  ...expectation,
})

const afterHello = (name: string, bytes: () => string | Buffer, expectation: Expectation): Behaviour =>
  instead(name, (socket) => void socket.once('data', () => socket.end(bytes())), expectation)

/** RFC 8446 section 6: a fatal alert in a record of its own. */
const alert = (description: number) => Buffer.from([0x15, 0x03, 0x03, 0x00, 0x02, 0x02, description])

const neverSecured = { changes: hurried, hangs: true }
const atSecurityLevel0 = { ciphers: 'DEFAULT:@SECLEVEL=0', minVersion: 'TLSv1' }

export const tls: Family = {
  title: 'TLS',
  behaviours: [
    shows('that is valid', {}, token()),
    {
      name: 'a certificate of an unknown CA',
      script,
      endpoint: async (authority) => {
        const { caCertificate } = authority
        return { certificate: { ...(await (await createAuthority()).issue()), caCertificate } }
      },
      ...leftAlone,
    },
    shows('that is self-signed', { isSelfSigned: true }),
    shows('that has expired', { days: [-30, -1] }),
    shows('that becomes valid tomorrow', { days: [1, 30] }),
    shows('for another host name', { hostNames: ['localhost.example'] }),
    shows('for another host name with the same beginning', { hostNames: ['localhostile'] }),
    shows('for any host name', { hostNames: ['*'] }),
    shows('with a host name only in its CN', { hostNames: [] }, token()),
    shows('for clients', { isForClients: true }),
    {
      name: 'a certificate with RSA of 1024 bits',
      script,
      endpoint: async (authority) => ({
        certificate: await authority.issue({ isWeak: true }),
        tls: { ciphers: 'DEFAULT:@SECLEVEL=0' },
      }),
      ...leftAlone,
    },
    speaks('TLS 1.1 only', { ...atSecurityLevel0, maxVersion: 'TLSv1.1' }, repeated),
    speaks('TLS 1.0 only', { ...atSecurityLevel0, maxVersion: 'TLSv1' }, repeated),
    speaks('TLS 1.2 only', { maxVersion: 'TLSv1.2' }, token()),
    speaks('TLS 1.2 with a cipher without forward secrecy', { maxVersion: 'TLSv1.2', ciphers: 'AES128-SHA' }, repeated),
    speaks('a client certificate is requested', { requestCert: true, rejectUnauthorized: false }, token()),
    speaks('a client certificate is required', { requestCert: true, rejectUnauthorized: true }, repeated),
    speaks('ALPN of HTTP/2 only', { ALPNProtocols: ['h2'] }, repeated),
    speaks('no session tickets', { secureOptions: constants.SSL_OP_NO_TICKET }, token()),
    { ...instead('a handshake that never begins', () => {}, timeOut), ...neverSecured },
    {
      ...instead(
        'a handshake that sends a byte every 50 ms',
        (socket) => {
          socket.write(Buffer.from([0x16, 0x03, 0x03, 0x40, 0x00]))
          const dripping = setInterval(() => socket.write('\x02'), 50)
          socket.on('close', () => clearInterval(dripping))
        },
        timeOut,
      ),
      ...neverSecured,
    },
    afterHello('plain HTTP on the TLS port', () => `HTTP/1.1 200 OK\r\n\r\n${fineText()}`, repeated),
    afterHello(
      'plain HTTP with a redirect on the TLS port',
      () => 'HTTP/1.1 308 x\r\nlocation: https://localhost/\r\n\r\n',
      repeated,
    ),
    afterHello('garbage on the TLS port', () => Buffer.alloc(2_000, 0xa5), repeated),
    afterHello('a handshake cut off', () => Buffer.from([0x16, 0x03, 0x03, 0x00, 0x7a, 0x02]), repeated),
    afterHello('the alert handshake_failure', () => alert(40), repeated),
    afterHello('the alert internal_error', () => alert(80), repeated),
    afterHello('the alert unrecognized_name', () => alert(112), repeated),
    afterHello('an alert that does not exist', () => alert(255), repeated),
  ],
}
