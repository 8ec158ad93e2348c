/** The parts of the index of what is due: whoever asks what is due asks all of them. */
export const dueShards = ['0', '1', '2', '3', '4', '5', '6', '7'] as const

/** The shard of a record, always the same for the same name: FNV-1a, of which the uppermost bits are mixed best. */
export function dueShardOf(name: string): string {
  let hash = 0x811c9dc5
  for (let index = 0; index < name.length; index++) hash = Math.imul(hash ^ name.charCodeAt(index), 0x01000193)
  return String(hash >>> 29)
}
