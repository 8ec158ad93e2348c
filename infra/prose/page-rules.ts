import type { TextlintRuleContext, TextlintRuleModule } from '@textlint/types'
import { split } from 'sentence-splitter'
import { findTranslatedPhrases, withoutCode } from './translated-phrases.ts'

/** A sentence longer than this is a warning: two ideas are two sentences. */
export const longestSentence = 25

/** Rejects the phrases that a reader has to translate. */
export const rejectTranslatedPhrases: TextlintRuleModule = (context) =>
  onProse(context, (text, report) => {
    for (const { start, end, message } of findTranslatedPhrases(text)) report(message, [start, end])
  })

/** Warns of sentences that are too long to be read once. */
export const warnOfLongSentences: TextlintRuleModule = (context) =>
  onProse(context, (text, report) => {
    for (const { type, raw, range } of split(text)) {
      const words = raw.match(/[\p{L}\p{N}](?:\S*[\p{L}\p{N}])?/gu) ?? []
      if (type === 'Sentence' && words.length > longestSentence)
        report(`A sentence of ${words.length} words; the most is ${longestSentence}.`, range)
    }
  })

type Report = (message: string, range: readonly [number, number]) => void

/** Calls for each paragraph, heading and cell, with code and addresses blotted out, so that a place in the text is one in the page. */
function onProse(context: TextlintRuleContext, check: (text: string, report: Report) => void) {
  const { Syntax, RuleError, report, getSource, locator } = context
  const checkNode = (node: Parameters<typeof getSource>[0] & object) =>
    check(withoutMarks(withoutCode(getSource(node))), (message, range) =>
      report(node, new RuleError(message, { padding: locator.range(range) })),
    )
  return { [Syntax.Paragraph]: checkNode, [Syntax.Header]: checkNode, [Syntax.TableCell]: checkNode }
}

/** A cell of a table comes with its bars, a heading with its marks. The length stays. */
function withoutMarks(source: string): string {
  return source.replace(/^#+|^\||\|$/g, (marks) => ' '.repeat(marks.length))
}
