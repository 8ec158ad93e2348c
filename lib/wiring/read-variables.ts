export type Variables = Readonly<Record<string, string | undefined>>

/**
 * What `readValue` makes of one variable, which is empty where it is missing; where it makes nothing of it, `otherwise`
 * and a complaint that it must be of that form.
 */
export type ReadVariable = <T>(
  name: string,
  readValue: (value: string) => T | undefined,
  form: string,
  otherwise: T,
) => T

/** @throws {Error} naming every variable that is missing or wrong */
export function readVariables<T>(variables: Variables, readAll: (read: ReadVariable, variables: Variables) => T): T {
  const complaints: string[] = []
  const all = readAll((name, readValue, form, otherwise) => {
    const value = readValue(variables[name] ?? '')
    if (value === undefined) complaints.push(`${name} must be ${form}`)
    return value ?? otherwise
  }, variables)
  if (complaints.length > 0) throw new Error(`${complaints.join('; ')}.`)
  return all
}
