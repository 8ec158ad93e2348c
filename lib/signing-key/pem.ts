/** One block of a PEM text (RFC 7468), its lines in order again. */
export interface PemBlock {
  readonly label: string
  readonly text: string
}

const block = /-----BEGIN ([A-Z0-9 ]+)-----([\s\S]*?)-----END \1-----/g

/**
 * The blocks in a text that came through environment variables, JSON and shells: line ends escaped once or twice, turned
 * into blanks, or lost.
 */
export function readPemBlocks(text: string): PemBlock[] {
  const lines = text.replace(/\\+r/g, '').replace(/\\+n/g, '\n').replace(/\r/g, '')
  return [...lines.matchAll(block)].map(([whole, label = '', body = '']) => ({
    label,
    // The headers of a traditional encrypted key need their own lines: leave such a block as it came.
    text: body.includes(':') ? whole : `-----BEGIN ${label}-----\n${wrap(body)}\n-----END ${label}-----\n`,
  }))
}

function wrap(body: string): string {
  return (
    body
      .replace(/\s+/g, '')
      .match(/.{1,64}/g)
      ?.join('\n') ?? ''
  )
}
