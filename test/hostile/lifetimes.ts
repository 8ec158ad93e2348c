import {
  always,
  type Behaviour,
  type Expectation,
  expired,
  type Family,
  fine,
  fineText,
  hostileToken,
  token,
  unreadable,
} from './behaviour.ts'

const aDecade = 315_360_000

const withLifetime = (name: string, expiresIn: unknown, expectation: Expectation): Behaviour => ({
  name: `expires_in ${name}`,
  script: always(() => fine({ expires_in: expiresIn })),
  ...expectation,
})

/** As it stands in the JSON, where a number of JavaScript's can't say it. */
const written = (text: string, expectation: Expectation): Behaviour => ({
  name: `expires_in ${text}`,
  script: always(() => ({ body: fineText({ expires_in: 300 }).replace('300', text) })),
  ...expectation,
})

export const lifetimes: Family = {
  title: 'Lifetimes',
  behaviours: [
    withLifetime('3600', 3600, token(3600)),
    withLifetime('"3600"', '3600', token(3600)),
    withLifetime('missing', undefined, token(300)),
    withLifetime('null', null, token(300)),
    withLifetime('3599.5', 3599.5, token(3599)),
    withLifetime('1e300', 1e300, token(aDecade)),
    written('9007199254740993', token(aDecade)),
    written('1e400', token(aDecade)),
    written('3.6e3', token(3600)),
    withLifetime('1', 1, expired),
    withLifetime('0', 0, unreadable),
    written('-0', unreadable),
    withLifetime('"0"', '0', unreadable),
    withLifetime('-5', -5, unreadable),
    withLifetime('"-5"', '-5', unreadable),
    written('-1e400', unreadable),
    withLifetime('0.5', 0.5, expired),
    withLifetime('"12h"', '12h', unreadable),
    withLifetime('"3600.0"', '3600.0', unreadable),
    withLifetime('" 3600"', ' 3600', unreadable),
    withLifetime('"0x10"', '0x10', unreadable),
    withLifetime('"1e3"', '1e3', unreadable),
    withLifetime('"9007199254740993"', '9007199254740993', unreadable),
    withLifetime('"Infinity"', 'Infinity', unreadable),
    withLifetime('in full-width digits', '\uff13\uff16\uff10\uff10', unreadable),
    withLifetime('an empty text', '', unreadable),
    withLifetime('a date', '2099-01-01T00:00:00Z', unreadable),
    withLifetime('true', true, unreadable),
    withLifetime('[3600]', [3600], unreadable),
    withLifetime('{}', {}, unreadable),
    written('NaN', unreadable),
    written('0300', unreadable),
    {
      name: 'a JWT that has expired, with expires_in 300',
      script: always(() => fine({ access_token: expiredJwt() })),
      ...expired,
    },
    {
      name: 'expires_in 300 with a Date of last year',
      script: always(() => ({ ...fine(), headers: { date: 'Wed, 01 Jan 2025 00:00:00 GMT' } })),
      ...token(),
    },
    {
      name: 'expires_in 300 with a Cache-Control and an Expires that say it is over',
      script: always(() => ({ ...fine(), headers: { 'cache-control': 'no-store', expires: '0', age: '86400' } })),
      ...token(),
    },
  ],
}

function expiredJwt(): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  return `${part({ alg: 'none' })}.${part({ exp: 1 })}.${part({ of: hostileToken() })}`
}
