import type { Picture } from './report.ts'

const [width, labelWidth, valueWidth, rowHeight, top] = [820, 300, 110, 24, 44] as const
/** If the longest bar is this many times the shortest one, the bars show magnitudes. */
const widestLinear = 40

/** Draws bars of those lengths as an SVG that is readable on light and dark backgrounds. */
export function pictureOf(title: string, { unit, lengths }: Picture): string {
  const values = lengths.map(({ value }) => value)
  const [least, most] = [Math.min(...values), Math.max(...values)]
  const isByMagnitude = most / least > widestLinear
  const room = width - labelWidth - valueWidth
  const scale = (value: number) =>
    isByMagnitude ? (room * (1 + Math.log(value / least))) / (1 + Math.log(most / least)) : (room * value) / most
  const height = top + lengths.length * rowHeight + 12
  const rows = lengths.map(({ label, value, isOurs }, index) => {
    const y = top + index * rowHeight
    const length = Math.max(1, scale(value)).toFixed(1)
    return [
      `<text x="${labelWidth - 8}" y="${y + 15}" text-anchor="end">${escapeXml(label)}</text>`,
      `<rect x="${labelWidth}" y="${y + 3}" width="${length}" height="${rowHeight - 8}" fill="${isOurs ? '#2f6fde' : '#9aa4b2'}"/>`,
      `<text x="${(labelWidth + Number(length) + 8).toFixed(1)}" y="${y + 15}">${shown(value)}</text>`,
    ].join('')
  })
  const heading = escapeXml(`${title}: ${unit}${isByMagnitude ? ', by magnitude' : ''}`)
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}"`,
    ` font-family="system-ui, sans-serif" font-size="13" fill="#7a8594">`,
    `<title>${heading}</title>`,
    `<text x="8" y="22" font-size="15">${heading}</text>`,
    ...rows,
    '</svg>\n',
  ].join('\n')
}

/** Rounded to about three significant digits. */
export function shown(value: number): string {
  if (value >= 100) return value.toFixed(0)
  return value >= 10 ? value.toFixed(1) : value.toFixed(2)
}

function escapeXml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}
