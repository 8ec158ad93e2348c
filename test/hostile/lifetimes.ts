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

/** The number as JSON text, because JavaScript has no number for it. */
const written = (text: string, expectation: Expectation): Behaviour => ({
  name: `expires_in ${text}`,
  script: always(() => ({ body: fineText({ expires_in: 300 }).replace('300', text) })),
  ...expectation,
})

const withJwt = (name: string, claims: object, members: object, expectation: Expectation): Behaviour => ({
  name: `a JWT ${name}`,
  script: always(() => fine({ access_token: jwtOf(claims), ...members })),
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
    withLifetime('0', 0, expired),
    written('-0', expired),
    withLifetime('"0"', '0', expired),
    withLifetime('-5', -5, token()),
    withLifetime('"-5"', '-5', token()),
    written('-1e400', token()),
    withLifetime('0.5', 0.5, expired),
    withLifetime('"12h"', '12h', token()),
    withLifetime('"3600.0"', '3600.0', token(3600)),
    withLifetime('" 3600"', ' 3600', token(3600)),
    withLifetime('"3599.0 "', '3599.0 ', token(3599)),
    withLifetime('"+3600"', '+3600', token(3600)),
    withLifetime('"0x10"', '0x10', token()),
    withLifetime('"1e3"', '1e3', token(1000)),
    withLifetime('"9007199254740993"', '9007199254740993', token(aDecade)),
    withLifetime('"Infinity"', 'Infinity', token()),
    withLifetime('in full-width digits', '\uff13\uff16\uff10\uff10', token()),
    withLifetime('an empty string', '', token()),
    withLifetime('a date', '2099-01-01T00:00:00Z', token()),
    withLifetime('true', true, token()),
    withLifetime('[3600]', [3600], token()),
    withLifetime('{}', {}, token()),
    written('NaN', unreadable),
    written('0300', unreadable),
    withJwt('that has expired, with expires_in 300', { exp: 1 }, { expires_in: 300 }, token()),
    withJwt('of 60 s from a clock an hour behind, with expires_in 60', ago(3_600, 60), { expires_in: 60 }, token(60)),
    withJwt('of 60 s from a clock an hour ahead', ago(-3_600, 60), { expires_in: undefined }, token(60)),
    withJwt('of 60 s, with expires_in 3600', ago(0, 60), { expires_in: 3600 }, token(60)),
    {
      name: 'expires_in 300 with a Date of last year',
      script: always(() => ({ ...fine(), headers: { date: 'Wed, 01 Jan 2025 00:00:00 GMT' } })),
      ...token(),
    },
    {
      name: 'expires_in 300 with Cache-Control and Expires headers of an expired answer',
      script: always(() => ({ ...fine(), headers: { 'cache-control': 'no-store', expires: '0', age: '86400' } })),
      ...token(),
    },
  ],
}

/** The claims of a token with this lifetime in seconds, issued this many seconds ago. */
function ago(seconds: number, lifetime: number): object {
  const iat = Math.floor(Date.now() / 1000) - seconds
  return { iat, exp: iat + lifetime }
}

function jwtOf(claims: object): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  return `${part({ alg: 'none' })}.${part(claims)}.${part({ of: hostileToken() })}`
}
