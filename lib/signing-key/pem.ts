/** One block of a PEM text (RFC 7468), its lines in order again. */
export interface PemBlock {
  readonly label: string
  readonly text: string
}

const block = /-----BEGIN ([A-Z0-9 ]+)-----([\s\S]*?)-----END \1-----/g
/** The headers of a traditional encrypted key (RFC 1421 section 4.6.1), which stand on lines of their own. */
const encryptionHeaders = /^\s*Proc-Type:\s*4,ENCRYPTED\s+DEK-Info:\s*([\w-]+,[0-9A-Fa-f]+)/

/**
 * The blocks in a text that came through environment variables, JSON and shells: line ends escaped once or twice, turned
 * into blanks, or lost.
 */
export function readPemBlocks(text: string): PemBlock[] {
  const lines = text.replace(/\\+r/g, '').replace(/\\+n/g, '\n').replace(/\r/g, '')
  return [...lines.matchAll(block)].map(([, label = '', body = '']) => {
    const [headers = '', encryption] = encryptionHeaders.exec(body) ?? []
    const restored = encryption ? `Proc-Type: 4,ENCRYPTED\nDEK-Info: ${encryption}\n\n` : ''
    return {
      label,
      text: `-----BEGIN ${label}-----\n${restored}${wrap(body.slice(headers.length))}\n-----END ${label}-----\n`,
    }
  })
}

function wrap(body: string): string {
  return (
    body
      .replace(/\s+/g, '')
      .match(/.{1,64}/g)
      ?.join('\n') ?? ''
  )
}
