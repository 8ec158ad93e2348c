/** How far authorization servers' clocks are ahead of ours, in milliseconds, as learned from their refusals. */
export interface ClockOffsets {
  of(authorizationServer: string): number
  learn(authorizationServer: string, milliseconds: number): void
}

export function createClockOffsets(): ClockOffsets {
  const offsets = new Map<string, number>()
  return {
    of: (authorizationServer) => offsets.get(authorizationServer) ?? 0,
    learn: (authorizationServer, milliseconds) => void offsets.set(authorizationServer, milliseconds),
  }
}
