import {
  always,
  type Behaviour,
  type Family,
  fine,
  first,
  type HostileScript,
  hostileToken,
  token,
  unreadable,
} from './behaviour.ts'

const statuses = [300, 301, 302, 303, 307, 308]
const linkLocal = 'https://169.254.169.254/'

const redirect = (status: number, name: string, location: (elsewhere: string) => string): Behaviour => ({
  name: `${status} ${name}`,
  script: always((elsewhere) => ({ status, headers: { location: location(elsewhere) } })),
  ...unreadable,
})

const redirectTo = (name: string, location: (elsewhere: string) => string): Behaviour => redirect(307, name, location)

/** A valid answer with a header that points to another server. */
const pointing = (name: string, headers: (elsewhere: string) => Record<string, string>): Behaviour => ({
  name: `a token, with ${name}`,
  script: always((elsewhere) => ({ ...fine(), headers: headers(elsewhere) })),
  ...token(),
})

const round: HostileScript = ({ url }) => ({ status: 307, headers: { location: `${url}?again` } })

export const redirects: Family = {
  title: 'Redirects',
  behaviours: [
    ...statuses.map((status) => redirect(status, 'to another origin', (elsewhere) => `${elsewhere}/token`)),
    ...statuses.slice(1).map((status) => redirect(status, 'to a link-local address', () => linkLocal)),
    redirectTo('to a link-local address as a number', () => 'https://2852039166/'),
    redirectTo('to a link-local IPv6 address', () => 'https://[fe80::1]/'),
    redirectTo('to a link-local address inside an IPv6 address', () => 'https://[::ffff:169.254.169.254]/'),
    redirectTo('to plain HTTP', (elsewhere) => `${elsewhere.replace('https:', 'http:')}/token`),
    redirectTo('to a URL without a scheme', (elsewhere) => `${elsewhere.slice('https:'.length)}/token`),
    redirectTo('to a URL with a user', (elsewhere) => `https://localhost@${elsewhere.slice('https://'.length)}/token`),
    redirectTo('to a file URL', () => 'file:///etc/passwd'),
    redirectTo(
      'to a data URL',
      () => `data:application/json,{"access_token":"${hostileToken()}","token_type":"Bearer"}`,
    ),
    redirectTo('to a text that is not a URL', () => 'https://['),
    { name: '307 to itself, without end', script: round, ...unreadable },
    {
      name: '307 to another path, then a token',
      script: first(() => ({ status: 307, headers: { location: '/elsewhere' } })),
      ...unreadable,
    },
    { name: '307 without a location', script: always(() => ({ status: 307 })), ...unreadable },
    { name: '304', script: always(() => ({ status: 304 })), ...unreadable },
    {
      name: '305 with a proxy',
      script: always((elsewhere) => ({ status: 305, headers: { location: elsewhere } })),
      ...unreadable,
    },
    {
      name: '302 to another origin, with a token',
      script: always((elsewhere) => ({ ...fine(), status: 302, headers: { location: `${elsewhere}/token` } })),
      ...unreadable,
    },
    pointing('a Location', (elsewhere) => ({ location: `${elsewhere}/token` })),
    pointing('a Refresh', (elsewhere) => ({ refresh: `0; url=${elsewhere}/token` })),
    pointing('an Alt-Svc', (elsewhere) => ({ 'alt-svc': `h2="${elsewhere.slice('https://'.length)}", h3=":443"` })),
    pointing('a Link to preload', (elsewhere) => ({ link: `<${elsewhere}/token>; rel=preload` })),
    pointing('a Content-Location', (elsewhere) => ({ 'content-location': `${elsewhere}/token` })),
  ],
}
