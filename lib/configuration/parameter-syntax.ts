/** RFC 6749 section 3.3: printable ASCII without quotation mark and backslash. */
export function isScopeToken(text: string): boolean {
  return /^[\x21\x23-\x5b\x5d-\x7e]+$/.test(text)
}

/** RFC 8707 section 2: an absolute URI without a fragment. */
export function isResourceIndicator(text: string): boolean {
  // A parser of URLs repairs what it is given; what is sent stays as it was.
  return URL.canParse(text) && /^[a-z][a-z0-9+.-]*:[\x21\x22\x24-\x7e]+$/i.test(text)
}
