/** An event that says nothing we could act on, and won't say more the next time. Names the member, never its value. */
export class UnreadableEventError extends Error {
  readonly code = 'unreadable_event'
  override readonly name = 'UnreadableEventError'

  constructor(member: string, complaint: string) {
    super(`The event can't be read: ${member} ${complaint}`)
  }
}
