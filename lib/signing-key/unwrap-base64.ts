/** Text that is one piece of base64 and holds PEM or JSON was wrapped on its way into the secret. */
export function unwrapBase64(text: string): string {
  const packed = text.replace(/\s+/g, '')
  if (!/^[A-Za-z0-9+/_-]{16,}={0,2}$/.test(packed)) return text
  const unwrapped = Buffer.from(packed, 'base64').toString('utf8')
  return /^\s*(\{|-----BEGIN )/.test(unwrapped) ? unwrapped : text
}
