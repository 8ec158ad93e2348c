import {
  always,
  type Behaviour,
  type Expectation,
  type Family,
  fine,
  first,
  leftAlone,
  recovers,
  remembered,
  token,
} from './behaviour.ts'

const asked = (
  name: string,
  retryAfter: () => string | string[],
  expectation: Expectation,
  status = 429,
): Behaviour => ({
  name: `${status} retry-after: ${name}`,
  script: always(() => ({ status, headers: { 'retry-after': retryAfter() } })),
  ...expectation,
})

const literally = (retryAfter: string, expectation: Expectation): Behaviour =>
  asked(retryAfter, () => retryAfter, expectation)

const inSeconds = (seconds: number) => new Date(Date.now() + seconds * 1000).toUTCString()

export const waiting: Family = {
  title: 'Waiting',
  behaviours: [
    { name: '429 empty', script: always(() => ({ status: 429 })), ...leftAlone },
    {
      name: '429 retry-after: 1, then a token',
      script: first(() => ({ status: 429, headers: { 'retry-after': '1' } })),
      ...recovers,
    },
    {
      name: '429 retry-after: a date in 2 s, then a token',
      script: first(() => ({ status: 429, headers: { 'retry-after': inSeconds(2) } })),
      ...recovers,
    },
    { ...literally('60', leftAlone), retryAfter: 60 },
    { ...asked('a date in 2 min', () => inSeconds(120), leftAlone, 503), retryAfter: 120 },
    { ...literally('31536000', leftAlone), retryAfter: 300 },
    { ...asked('a date in a year', () => inSeconds(31_536_000), leftAlone), retryAfter: 300 },
    { ...literally('999999999', leftAlone), retryAfter: 300 },
    literally('0', leftAlone),
    literally('-5', leftAlone),
    literally('1.5', leftAlone),
    literally('1e3', leftAlone),
    literally('99999999999999999999', leftAlone),
    literally('soon', leftAlone),
    asked('a date of last year', () => inSeconds(-31_536_000), leftAlone),
    asked('a date in the form of RFC 850', () => 'Sunday, 06-Nov-94 08:49:37 GMT', leftAlone),
    asked('a date in the form of ISO 8601', () => new Date(Date.now() + 60_000).toISOString(), leftAlone),
    asked('a date that does not exist', () => 'Mon, 32 Foo 2099 25:61:61 GMT', leftAlone),
    asked('60, 3', () => ['60', '3'], leftAlone),
    {
      name: '200 with a token and retry-after: 60',
      script: always(() => ({ ...fine(), headers: { 'retry-after': '60' } })),
      ...token(),
    },
    {
      name: '400 with {"error":"invalid_client"} and retry-after: 1',
      script: always(() => ({ status: 400, headers: { 'retry-after': '1' }, body: { error: 'invalid_client' } })),
      ...remembered(),
    },
  ],
}
