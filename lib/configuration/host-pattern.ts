/*
 * The hosts that a token answer may name. This module uses no schema library, since a call matches a host before any element is read.
 */

/** Letters, digits and hyphens (RFC 1123 section 2.1). A name in Unicode has to be written in its ASCII form (RFC 5890). */
const label = '[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?'
/** At least two labels. The last one begins with a letter, so no form of an IP address is a name. */
const nameForm = new RegExp(`^(?=.{1,253}$)(?:${label}\\.)+(?=[a-z])${label}$`)
const anyBelow = '*.'
/** A server on this machine. Only a local run may name one. */
const localForm = /^localhost:[1-9]\d{0,4}$/

/** Whether it is the name of a host in the DNS, in lower case and without a dot at its end. */
export function isDnsName(text: string): boolean {
  return nameForm.test(text)
}

export function isLocalHost(text: string): boolean {
  return localForm.test(text)
}

/** A host, or `*.` and a domain of at least two labels, such as `*.my.salesforce.com`. */
export function isHostPattern(text: string): boolean {
  return isDnsName(text.startsWith(anyBelow) ? text.slice(anyBelow.length) : text) || isLocalHost(text)
}

/** Whether a pattern allows the host. `*` is one label or more, never a part of one. */
export function isWithin(host: string, patterns: readonly string[]): boolean {
  return patterns.some((pattern) =>
    pattern.startsWith(anyBelow) ? host.endsWith(pattern.slice(anyBelow.length - 1)) : host === pattern,
  )
}
