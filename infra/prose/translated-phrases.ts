/** A phrase that a reader has to translate, and what to write in its place. */
interface TranslatedPhrase {
  readonly pattern: RegExp
  readonly instead: string
}

const beginning = /(?:^ *|[.!?:;]["”)]? +)/.source
const notPersons = [
  'and',
  'or',
  'but',
  'by',
  'of',
  'to',
  'for',
  'from',
  'with',
  'than',
  'that',
  'as',
  'is',
  'tells',
  'tell',
]

/** Each of these fails the check. `.github/CONTRIBUTING.md` has the rest of the rules, which only a reader can check. */
const translatedPhrases: readonly TranslatedPhrase[] = [
  {
    pattern: new RegExp(`${beginning}Who (?![^.?]*\\?)`, 'gu'),
    instead: 'Name the actor: the caller, the operator, the instance.',
  },
  {
    pattern: new RegExp(`\\b(?:${notPersons.join('|')}) who\\b`, 'giu'),
    instead: 'Name the actor: the caller, the operator, the instance.',
  },
  { pattern: /\b(?:whoever|whosoever|whatever it be)\b/giu, instead: 'Name the actor: any caller, each operator.' },
  { pattern: /\b(?:is|are|was|were|be) none\b/giu, instead: 'Say what it is not: "is not a name", "does not match".' },
  { pattern: /\bstands?\b(?! for\b| alone\b)/giu, instead: 'Write "is".' },
  { pattern: /\b(?:by|of) which\b/giu, instead: 'Make two sentences of it, or write "that".' },
  { pattern: /\b(?:he|him|his|himself)\b/giu, instead: 'Name the actor, or write "they".' },
  { pattern: /\bit is said\b|\bthat is said\b/giu, instead: 'Say who says it, and where.' },
  { pattern: /\bwhat is of\b/giu, instead: 'Name the thing: "hop-by-hop headers".' },
  { pattern: /\bopens? no way\b/giu, instead: 'Say what happened: "rejected CONNECT with status 502".' },
  {
    pattern: /\bbe it (?:a|an|the|one|by|in)\b|\bwere (?:it|they|that|there|one|the) /giu,
    instead: 'Write "if" or "whether".',
  },
  {
    pattern: new RegExp(`${beginning}(?:Of|By) (?:it|this|that|these|those|them|such|each|all|what|which)\\b`, 'gu'),
    instead: 'Begin with the subject.',
  },
  { pattern: /\bthat (?:is|are) no\b(?! longer| more)/giu, instead: 'Write "is not a".' },
  { pattern: /\bsuch a one\b|\bfor it is\b|\bto it that\b/giu, instead: 'Name the thing.' },
]

/** A phrase found in a text. */
export interface FoundPhrase {
  readonly start: number
  readonly end: number
  /** The phrase, and what to write in its place. */
  readonly message: string
}

/** @param text without code: a name in code is not prose */
export function findTranslatedPhrases(text: string): FoundPhrase[] {
  return translatedPhrases.flatMap(({ pattern, instead }) =>
    [...text.matchAll(pattern)].map(({ 0: found, index }) => {
      const phrase = found.replace(/^\W+/, '')
      const start = index + found.length - phrase.length
      return { start, end: start + phrase.length, message: `"${phrase.trim()}": ${instead}` }
    }),
  )
}

/** Code counts as one word, an address and a mark as none. The length stays. */
export function withoutCode(text: string): string {
  const blank = (found: string) => ' '.repeat(found.length)
  return text
    .replace(/(`+)[\s\S]*?\1/g, (found) => 'x'.repeat(found.length))
    .replace(
      /!?\[([^\]]*)\](\([^)]*\))/g,
      (whole, words: string, address: string) =>
        `${blank(whole.slice(0, whole.indexOf('[') + 1))}${words} ${blank(address)}`,
    )
    .replace(/\*\*/g, blank)
    .replace(/\n/g, ' ')
}
