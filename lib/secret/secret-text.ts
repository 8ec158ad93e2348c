/** Bytes of a secret as text: UTF-8, or DER, as PKCS#12 is, in base64; undefined where they are neither. */
export function secretText(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    return isDer(bytes) ? Buffer.from(bytes).toString('base64') : undefined
  }
}

/** A sequence (X.690 section 8.1) whose length takes two bytes or more, and is all there is. */
function isDer(bytes: Uint8Array): boolean {
  const [tag, form = 0] = bytes
  const lengthBytes = form - 0x80
  if (tag !== 0x30 || lengthBytes < 2 || lengthBytes > 4) return false
  const length = bytes.slice(2, 2 + lengthBytes).reduce((sum, byte) => sum * 256 + byte, 0)
  return bytes.length === 2 + lengthBytes + length
}
