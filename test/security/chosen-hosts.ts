/*
 * Every way in which a token answer could choose a host: the value of the member that hostFrom names, and what Tokenwell makes of it.
 */

/** `within` of each row's connection. */
export const within = ['*.my.salesforce.com', 'api.example.com']

/** Why no call is made. `looked_up`: the host is allowed, so its addresses are looked up, and checked on the socket. */
export type Outcome = 'missing' | 'not_an_origin' | 'not_within' | 'looked_up'

export interface ChosenHost {
  readonly value: unknown
  readonly outcome: Outcome
  /** The name that is looked up. */
  readonly host?: string
}

function refused(outcome: Outcome, values: readonly unknown[]): ChosenHost[] {
  return values.map((value) => ({ value, outcome }))
}

function lookedUp(value: string, host = 'acme.my.salesforce.com'): ChosenHost {
  return { value, outcome: 'looked_up', host }
}

export const chosenHosts: readonly ChosenHost[] = [
  lookedUp('https://acme.my.salesforce.com'),
  lookedUp('https://acme.my.salesforce.com/'),
  lookedUp('https://acme.my.salesforce.com:443'),
  lookedUp('HTTPS://ACME.My.Salesforce.COM'),
  lookedUp('https://acme--dev.sandbox.my.salesforce.com', 'acme--dev.sandbox.my.salesforce.com'),
  lookedUp('https://xn--bcher-kva.my.salesforce.com', 'xn--bcher-kva.my.salesforce.com'),
  lookedUp('https://api.example.com', 'api.example.com'),

  // No text.
  ...refused('missing', [undefined, null, {}, { href: 'https://acme.my.salesforce.com' }]),
  ...refused('missing', [['https://acme.my.salesforce.com'], `https://${'a'.repeat(2_048)}.my.salesforce.com`]),
  ...refused('not_an_origin', [true, 0, 2130706433, '', ' ']),

  // Another scheme, or none.
  ...refused('not_an_origin', [
    'http://acme.my.salesforce.com',
    'ftp://acme.my.salesforce.com',
    'acme.my.salesforce.com',
  ]),
  ...refused('not_an_origin', [
    '//acme.my.salesforce.com',
    'https:acme.my.salesforce.com',
    'https:/acme.my.salesforce.com',
  ]),
  ...refused('not_an_origin', [
    'https:\\\\acme.my.salesforce.com',
    'javascript:alert(1)',
    'data:,x',
    'file:///etc/passwd',
  ]),
  ...refused('not_an_origin', [
    'wss://acme.my.salesforce.com',
    'blob:https://acme.my.salesforce.com',
    'null',
    'https://',
  ]),

  // Another port.
  ...refused('not_an_origin', ['https://acme.my.salesforce.com:8443', 'https://acme.my.salesforce.com:80']),
  ...refused('not_an_origin', ['https://acme.my.salesforce.com:', 'https://acme.my.salesforce.com:0443']),
  ...refused('not_an_origin', ['https://acme.my.salesforce.com:443:443', 'https://acme.my.salesforce.com:65979']),

  // A user, path, query or fragment, and what parsers take for one.
  ...refused('not_an_origin', ['https://user@acme.my.salesforce.com', 'https://user:pw@acme.my.salesforce.com']),
  ...refused('not_an_origin', ['https://acme.my.salesforce.com@evil.example', 'https://@acme.my.salesforce.com']),
  ...refused('not_an_origin', [
    'https://acme.my.salesforce.com:443@evil.example',
    'https://evil.example\\@acme.my.salesforce.com',
  ]),
  ...refused('not_an_origin', [
    'https://acme.my.salesforce.com\\@evil.example',
    'https://evil.example#@acme.my.salesforce.com',
  ]),
  ...refused('not_an_origin', [
    'https://evil.example/.my.salesforce.com',
    'https://evil.example/acme.my.salesforce.com',
  ]),
  ...refused('not_an_origin', ['https://evil.example?.my.salesforce.com', 'https://evil.example#.my.salesforce.com']),
  ...refused('not_an_origin', ['https://evil.example\\.my.salesforce.com', 'https://evil.example;.my.salesforce.com']),
  ...refused('not_an_origin', [
    'https://evil.example&.my.salesforce.com',
    'https://evil.example,acme.my.salesforce.com',
  ]),
  ...refused('not_an_origin', ['https://acme.my.salesforce.com/services', 'https://acme.my.salesforce.com//']),
  ...refused('not_an_origin', [
    'https://acme.my.salesforce.com/..',
    'https://acme.my.salesforce.com?',
    'https://acme.my.salesforce.com#',
  ]),

  // Percent-encoding, blanks and control characters.
  ...refused('not_an_origin', ['https://acme%2emy.salesforce.com', 'https://evil.example%2f.my.salesforce.com']),
  ...refused('not_an_origin', ['https://evil.example%00.my.salesforce.com', 'https://acme.my.salesforce.com%00']),
  ...refused('not_an_origin', ['https://evil.example\0.my.salesforce.com', 'https://acme.my.salesforce.com\0']),
  ...refused('not_an_origin', [
    'https://evil.example\r\nhost: acme.my.salesforce.com',
    'https://acme.my.salesforce.com\n',
  ]),
  ...refused('not_an_origin', [
    ' https://acme.my.salesforce.com',
    'https://acme.my.salesforce.com ',
    'https://acme\t.my.salesforce.com',
  ]),
  ...refused('not_an_origin', [
    'https://acme.my.salesforce.com https://evil.example',
    'https:// acme.my.salesforce.com',
  ]),

  // Literal addresses, in each form that some parser reads.
  ...refused('not_an_origin', ['https://127.0.0.1', 'https://10.0.0.1', 'https://169.254.169.254', 'https://8.8.8.8']),
  ...refused('not_an_origin', [
    'https://127.1',
    'https://2130706433',
    'https://0x7f000001',
    'https://0x7f.0x0.0x0.0x1',
  ]),
  ...refused('not_an_origin', [
    'https://0177.0.0.1',
    'https://017700000001',
    'https://127.0.0.1.',
    'https://0',
    'https://1.2.3.0x4',
  ]),
  ...refused('not_an_origin', [
    'https://[::1]',
    'https://[::ffff:127.0.0.1]',
    'https://[fd00:ec2::254]',
    'https://[64:ff9b::a00:1]',
  ]),
  ...refused('not_an_origin', ['https://[fe80::1%25eth0]', 'https://[::1]:443', 'https://::1', 'https://[v1.acme]']),
  ...refused('not_an_origin', ['https://①②⑦.⓪.⓪.①', 'https://acme.my.salesforce.com.127.0.0.1']),

  // Names that are not within, also those that look alike.
  ...refused('not_within', ['https://evil.example', 'https://my.salesforce.com', 'https://salesforce.com']),
  ...refused('not_within', ['https://evilmy.salesforce.com', 'https://acme.my.salesforce.com.evil.example']),
  ...refused('not_within', [
    'https://x.api.example.com',
    'https://apixexample.com',
    'https://xapi.example.com',
    'https://example.com',
  ]),
  ...refused('not_within', [
    'https://acme-my.salesforce.com',
    'https://acme.my-salesforce.com',
    'https://acme.my.salesforce.co',
  ]),
  ...refused('not_within', [
    'https://acme.my.salesforce.xn--com-9o0a',
    'https://metadata.google.internal',
    'https://app.localhost',
  ]),
  ...refused('not_within', ['https://localhost:8443', 'https://localhost:9']),
  ...refused('not_an_origin', [
    'https://localhost',
    'https://localhost:443',
    'https://localhost:',
    'https://localhost:0',
  ]),

  // Names that are not in ASCII, or not names.
  ...refused('not_an_origin', [
    'https://acme.my.sаlesforce.com',
    'https://acme。my。salesforce。com',
    'https://acme．my.salesforce.com',
  ]),
  ...refused('not_an_origin', [
    'https://bücher.my.salesforce.com',
    'https://acme.my.sale\u017fforce.com',
    'https://\u212aacme.my.salesforce.com',
  ]),
  ...refused('not_an_origin', [
    'https://acme.my.sales\u00adforce.com',
    'https://acme.my.salesforce.com\u200b',
    'https://\ufeffacme.my.salesforce.com',
  ]),
  ...refused('not_an_origin', [
    'https://acme.my.salesforce.com.',
    'https://.my.salesforce.com',
    'https://*.my.salesforce.com',
  ]),
  ...refused('not_an_origin', [
    'https://acme..my.salesforce.com',
    'https://-acme.my.salesforce.com',
    'https://acme-.my.salesforce.com',
  ]),
  ...refused('not_an_origin', ['https://ac_me.my.salesforce.com', `https://${'a'.repeat(64)}.my.salesforce.com`]),
  ...refused('not_an_origin', [`https://${'a.'.repeat(120)}my.salesforce.com`, 'https://com', 'https://acme']),
]
