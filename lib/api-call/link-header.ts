/** One link-value of a `Link` header (RFC 8288 section 3). */
export interface LinkValue {
  readonly target: string
  readonly parameters: readonly LinkParameter[]
}

export interface LinkParameter {
  readonly name: string
  /** Without quotes and escapes. Undefined if there is only a name. */
  readonly value?: string
}

/** The readable part of a header, up to the first part that is not a link-value. */
export interface ReadLinks {
  readonly links: readonly LinkValue[]
  readonly isWhole: boolean
}

/** RFC 8288 appendix B.2. */
export function readLinks(header: string): ReadLinks {
  const links: LinkValue[] = []
  for (let rest = skip(header, /^[ \t,]+/); rest !== ''; rest = skip(rest, /^[ \t,]+/)) {
    const [whole, target] = /^<([^>]*)>/.exec(rest) ?? []
    if (whole === undefined || target === undefined) return { links, isWhole: false }
    const read = readParameters(rest.slice(whole.length))
    rest = read.rest
    if (rest !== '' && !rest.startsWith(',')) return { links, isWhole: false }
    links.push({ target, parameters: read.parameters })
  }
  return { links, isWhole: true }
}

/** RFC 8288 appendix B.3. */
function readParameters(text: string): { readonly parameters: readonly LinkParameter[]; readonly rest: string } {
  const parameters: LinkParameter[] = []
  let rest = skip(text)
  while (rest.startsWith(';')) {
    rest = skip(rest.slice(1))
    const [name = ''] = /^[^ \t=;,"<>]*/.exec(rest) ?? []
    rest = skip(rest.slice(name.length))
    if (!rest.startsWith('=')) {
      if (name !== '') parameters.push({ name })
      continue
    }
    rest = skip(rest.slice(1))
    const [whole = '', quoted] = /^(?:"((?:[^"\\]|\\.)*)"|[^ \t;,"<>]*)/s.exec(rest) ?? []
    parameters.push({ name, value: quoted?.replace(/\\(.)/gs, '$1') ?? whole })
    rest = skip(rest.slice(whole.length))
  }
  return { parameters, rest }
}

function skip(text: string, pattern = /^[ \t]+/): string {
  return text.replace(pattern, '')
}

export function writeLinks(links: readonly LinkValue[]): string {
  return links.map(({ target, parameters }) => [`<${target}>`, ...parameters.map(writeParameter)].join('; ')).join(', ')
}

/** Uses quotes only if the value is not a token. Most clients read a token with or without quotes. */
function writeParameter({ name, value }: LinkParameter): string {
  if (value === undefined) return name
  return /^[\w!#$%&'*+.^`|~-]+$/.test(value) ? `${name}=${value}` : `${name}="${value.replace(/["\\]/g, '\\$&')}"`
}
