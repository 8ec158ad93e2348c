/** Whether it is a host's name, or its address as it stands alone: IPv6 without brackets and zone. */
export function isHostName(text: string): boolean {
  if (isIpv6(text)) return true
  const isPlain = text.length <= 253 && text.replace(/\.$/, '').split('.').every(isLabel)
  // 127.1 and 0x7f.1 are addresses that don't look it.
  return isPlain && URL.canParse(`https://${text}`) && canonicalHost(text) === text.toLowerCase()
}

/** An address as it stands alone, without zone. */
export function isIpv6(text: string): boolean {
  return /^[\da-f:.]+$/i.test(text) && URL.canParse(`https://[${text}]`)
}

/** A host as `hostname` of a URL has it. */
export function canonicalHost(hostName: string): string {
  return new URL(`https://${isIpv6(hostName) ? `[${hostName}]` : hostName}`).hostname
}

/** RFC 1123 section 2.1; and an underscore, which names inside a network do have. */
function isLabel(text: string): boolean {
  return /^(?!-)[\w-]{1,63}(?<!-)$/.test(text)
}
