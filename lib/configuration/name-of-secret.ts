/** Whether a name is under the prefix, and steps out of it by no dots. */
export function isNameOfSecret(name: string, prefix: string): boolean {
  const rest = name.startsWith(prefix) ? name.slice(prefix.length) : ''
  return rest.split('/').every((part) => /^[A-Za-z0-9_+=.@-]+$/.test(part) && !/^\.+$/.test(part))
}
