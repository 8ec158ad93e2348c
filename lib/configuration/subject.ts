import { decodeUtf8 } from '../base/decoding.ts'

/* The subject of a token for a user, as a segment of a path. Rights name the path, so each subject has exactly one spelling. */

/** Without the wildcards of IAM, and without anything that a URL encodes. */
const plain = /^[A-Za-z0-9@._-]+$/
/** Clients take these segments out of a path. */
const dots = /^\.{1,2}$/
const encoded = /^~(?<base64url>[A-Za-z0-9_-]+)$/
const mostCharacters = 256

/** Whether a text can be a subject: at most 256 characters, without control characters and line breaks. */
export function isSubject(text: string): boolean {
  return text !== '' && text.length <= mostCharacters && isOneLine(text)
}

/** Whether a text is valid Unicode without control characters and line breaks. */
export function isOneLine(text: string): boolean {
  return text.isWellFormed() && !/[\p{Cc}\p{Zl}\p{Zp}\ufffd-\uffff]/u.test(text)
}

/** The subject as a segment of a path: itself, or `~` and the base64url of its UTF-8 where it has any character beside `A-Za-z0-9@._-`. */
export function subjectSegment(subject: string): string {
  const isPlain = plain.test(subject) && !dots.test(subject)
  return isPlain ? subject : `~${Buffer.from(subject).toString('base64url')}`
}

/** The subject of a segment. Undefined for every other spelling than that of `subjectSegment`. */
export function readSubjectSegment(segment: string): string | undefined {
  const { base64url } = encoded.exec(segment)?.groups ?? {}
  const subject =
    base64url === undefined ? segment : decodeUtf8(Buffer.from(base64url, 'base64url'), { ignoreBOM: true })
  return subject !== undefined && isSubject(subject) && subjectSegment(subject) === segment ? subject : undefined
}
