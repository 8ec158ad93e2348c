/** Of a fault of ours, whose message may hold anything, only its kind and where it happened. */
export function unexpectedReason(error: unknown): string {
  const frames = error instanceof Error ? (error.stack ?? '').split('\n').filter((line) => /^\s+at /.test(line)) : []
  const kind = error instanceof Error ? error.name : typeof error
  return [kind, ...frames.slice(0, 5).map((line) => line.trim())].join(' ')
}
