import type { ReceivedRequest } from '../servers/scripted-token-endpoint.ts'
import { plant } from './canary.ts'

/* What a server that quotes its requests can send back. */

const publicParameters = ['grant_type', 'client_assertion_type', 'client_id']

/** Each credential of a request as the client had it, and as it was sent. */
export function credentialsIn({ headers, content, form }: Omit<ReceivedRequest, 'jwtId'>): readonly string[] {
  const { authorization = '', 'x-user': user, 'x-password': password, 'x-api-key': apiKey } = headers
  const [, scheme = '', sent = ''] = /^(\w+) (.*)$/.exec(authorization) ?? []
  const pair = scheme === 'Basic' ? Buffer.from(sent, 'base64').toString() : ''
  const found = [
    ...[sent, pair, pair.slice(pair.indexOf(':') + 1), user, password, apiKey].map((each) => String(each ?? '')),
    ...(content.startsWith('{')
      ? textsIn(JSON.parse(content))
      : [...form].flatMap(([name, value]) => (publicParameters.includes(name) ? [] : [value]))),
  ]
  return [...new Set(found)].filter((each) => each.length > 4)
}

/** Plants the credentials of a request, and the parts that belong to each JWT alone. The name of a user is no secret of an element. */
export function plantCredentials(request: Omit<ReceivedRequest, 'jwtId'>, user: string): void {
  for (const each of credentialsIn(request)) {
    if (each !== user) plant(each)
    if (each.startsWith('eyJ')) for (const part of each.split('.').slice(1)) plant(part)
  }
}

function textsIn(value: unknown): string[] {
  if (typeof value === 'string') return [value]
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(textsIn) : []
}
