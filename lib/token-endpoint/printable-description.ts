import type { Secret } from '../secret/secret.ts'

const maximumLength = 1_000
/** A piece of this length reveals a part of a secret. Shorter pieces occur in any text by chance. */
const leastPieceLength = 8
const leastAssertionPieceLength = 16
const leastEncodedLength = 4
/** No signed token gets into a log, whether Tokenwell sent it or not. */
const compactJws = /eyJ[\w-]+\.[\w-]+\.[\w-]*/g
const unprintable = /[\p{C}\p{Zl}\p{Zp}]+/gu

/**
 * A server's words in a form that can be logged: bounded, and on one line. Public values such as audiences, key ids and trace ids
 * stay readable. Undefined where the words repeat a secret, or a piece of one, in any known encoding: a gap would show its place.
 * @param sent the secrets that must not come back
 */
export function printableDescription(text: string, sent: readonly Secret[]): string | undefined {
  const [assertions, secrets] = [sent.filter(isCompactJws), sent.filter((secret) => !isCompactJws(secret))]
  const bounded = text.slice(0, 4 * maximumLength)
  if (repeatsAny(bounded, secrets)) return undefined
  const concealed = sent.reduce(conceal, bounded)
  if (repeatsAny(concealed, assertions, leastAssertionPieceLength)) return undefined
  const line = concealed.replace(compactJws, '[...]').replace(unprintable, ' ').trim()
  return line.length > maximumLength ? `${line.slice(0, maximumLength)}...` : line
}

/** Whether a text holds one of the secrets, or a piece of one, in any letter case, escaped or encoded. */
export function repeatsAny(text: string, secrets: readonly Secret[], pieceLength = leastPieceLength): boolean {
  const readings = readingsOf(text)
  return secrets.some((secret) =>
    formsOf(secret.reveal()).some((form) => readings.some((each) => shares(each, form, pieceLength))),
  )
}

function isCompactJws(secret: Secret): boolean {
  return /^eyJ[\w-]+\.[\w-]+\.[\w-]+$/.test(secret.reveal())
}

/** Each part of an assertion is long, so that it can be cut out of the text. That finds it only as it was sent. */
function conceal(text: string, assertion: Secret): string {
  const pieces = piecesOf(assertion.reveal(), leastAssertionPieceLength)
  return text.replace(/[\w\-.]{16,}/g, (run) => (holdsPiece(run, pieces, leastAssertionPieceLength) ? '[...]' : run))
}

/** The readings of a text: as it is, and with its escapes undone once and twice. */
function readingsOf(text: string): readonly string[] {
  const once = unescaped(text)
  return [...new Set([text, once, unescaped(once)])].map(folded)
}

function unescaped(text: string): string {
  return text
    .replace(/\\u([0-9a-f]{4})/gi, (_whole, code: string) => String.fromCharCode(Number.parseInt(code, 16)))
    .replace(/\\(["\\/])/g, '$1')
    .replace(/&#(?:x([0-9a-f]{1,6})|(\d{1,7}));/gi, (whole, hex: string | undefined, decimal: string | undefined) =>
      characterOf(hex === undefined ? Number(decimal) : Number.parseInt(hex, 16), whole),
    )
    .replace(/&(amp|lt|gt|quot|apos);/gi, (_whole, name: string) => namedCharacters[name.toLowerCase()] ?? name)
    .replace(/(?:%[0-9a-f]{2})+/gi, (run) => Buffer.from(run.replaceAll('%', ''), 'hex').toString())
}

const namedCharacters: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" }

function characterOf(code: number, otherwise: string): string {
  return code <= 0x10ffff ? String.fromCodePoint(code) : otherwise
}

/**
 * The Base64 of a secret has three forms, by the place where the secret begins in the encoded text. The first and last letters also
 * hold bits of the bytes beside it.
 */
function formsOf(secret: string): readonly string[] {
  const bytes = Buffer.from(secret)
  if (bytes.length < leastEncodedLength) return secret === '' ? [] : [folded(secret)]
  const encoded = [0, 1, 2].map((before) => {
    const base64 = Buffer.concat([Buffer.alloc(before), bytes]).toString('base64url')
    return base64.slice(before === 0 ? 0 : before + 1, -1)
  })
  return [secret, bytes.toString('hex'), ...encoded].map(folded)
}

/** Makes equal what servers treat as equal: letter case, the two alphabets of Base64, `+` and a blank. */
function folded(text: string): string {
  return text.normalize('NFKC').toLowerCase().replaceAll('-', '+').replaceAll('_', '/').replaceAll('+', ' ')
}

/** It collects the pieces of the text, which is short: a caller's token may have 16 KiB. */
function shares(text: string, form: string, pieceLength: number): boolean {
  if (form.length <= pieceLength) return text.includes(form)
  return holdsPiece(form, piecesOf(text, pieceLength), pieceLength)
}

function piecesOf(text: string, length: number): ReadonlySet<string> {
  const pieces = new Set<string>()
  for (let at = 0; at + length <= text.length; at++) pieces.add(text.slice(at, at + length))
  return pieces
}

function holdsPiece(text: string, pieces: ReadonlySet<string>, length: number): boolean {
  for (let at = 0; at + length <= text.length; at++) if (pieces.has(text.slice(at, at + length))) return true
  return false
}
