/* Why an element must not set a header. The schema asks, and so does the code that sends the header. */

/** For a text that is not the name of a header. */
export const headerNameMessage = "A header name may have only letters, digits and !#$%&'*+-.^_`|~ (RFC 9110)."

const byTokenwell = 'Tokenwell sets it itself'
const ofConnection = 'it is about one network connection, not about the request'
/** Why an element must not set these headers. */
const refusedHeaders: Readonly<Record<string, string>> = {
  host: byTokenwell,
  'accept-encoding': byTokenwell,
  expect: 'Tokenwell sends the body at once',
  cookie: 'Tokenwell keeps no sessions',
  dpop: 'each request would need a new proof',
  ...Object.fromEntries(
    ['connection', 'keep-alive', 'te', 'trailer', 'transfer-encoding', 'upgrade', 'http2-settings'].map((name) => [
      name,
      ofConnection,
    ]),
  ),
}

/** Undefined for a header that an element may set. */
export function whyHeaderRefused(name: string): string | undefined {
  const folded = name.toLowerCase()
  if (Object.hasOwn(refusedHeaders, folded)) return refusedHeaders[folded]
  if (folded.startsWith('content-')) return byTokenwell
  return folded.startsWith('proxy-') ? ofConnection : undefined
}

const ofWay = 'it is about the way of the request'
const ofCaller = 'it says what the caller wants of the API'
/** These may come with a request for a token, but no API reads a token in them. */
const noCredentials: Readonly<Record<string, string>> = {
  forwarded: ofWay,
  via: ofWay,
  date: byTokenwell,
  'user-agent': byTokenwell,
  ...Object.fromEntries(
    ['accept', 'cache-control', 'origin', 'pragma', 'prefer', 'range', 'referer'].map((name) => [name, ofCaller]),
  ),
}

/** Undefined for a header of API calls that may carry a token. */
export function whyNoCredential(name: string): string | undefined {
  const folded = name.toLowerCase()
  if (Object.hasOwn(noCredentials, folded)) return noCredentials[folded]
  if (/^x-(forwarded|amzn?)-/.test(folded)) return ofWay
  return /^(accept|if|access-control|sec)-/.test(folded) ? ofCaller : whyHeaderRefused(folded)
}
