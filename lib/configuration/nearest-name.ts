/** The name that the operator most likely meant: it differs only in case or in a few letters. Undefined if no name is near. */
export function nearestName(name: string, names: readonly string[]): string | undefined {
  const folded = name.toLowerCase()
  const allowed = Math.max(1, Math.floor(name.length / 3))
  const ranked = names
    .map((other) => ({ other, distance: editDistance(folded, other.toLowerCase()) }))
    .sort((a, b) => a.distance - b.distance)
  return ranked[0] && ranked[0].distance <= allowed ? ranked[0].other : undefined
}

/** The Levenshtein distance, row by row. */
function editDistance(from: string, to: string): number {
  let previous = Array.from({ length: to.length + 1 }, (_, column) => column)
  for (const [row, letter] of [...from].entries()) {
    const current = [row + 1]
    for (const [column, other] of [...to].entries()) {
      const replaced = (previous[column] ?? 0) + (letter === other ? 0 : 1)
      current.push(Math.min(replaced, (previous[column + 1] ?? 0) + 1, (current[column] ?? 0) + 1))
    }
    previous = current
  }
  return previous.at(-1) ?? 0
}
