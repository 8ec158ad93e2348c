/*
 * Environment variables that Node.js or the AWS SDK reads itself. They could weaken TLS for the whole process, print what is sent
 * over TLS, or run foreign code in the process.
 */

interface Rule {
  readonly names: RegExp
  /** Whether this value, which is not empty, is harmless. */
  isSafe(value: string): boolean
  readonly advice: string
}

const never = () => false
/** Paths in the image of Lambda's runtime. No package, layer or file system of a function is mounted there. */
const isOfRuntime = (path: string) => /^\/(?:etc|usr|var\/(?:runtime|lang))\//.test(path) && !path.includes('..')
const isOff = (value: string) => value === '0'
const trust = 'remove it, and add the CA to the keyStore that an ssl element names in trustStoreRef'
const noOtherCode = 'remove it: it loads code or settings that do not belong to this function'

const rules: readonly Rule[] = [
  {
    names: /^NODE_TLS_REJECT_UNAUTHORIZED$/,
    isSafe: (value) => value === '1',
    advice: 'remove it: Tokenwell always checks certificates',
  },
  { names: /^NODE_EXTRA_CA_CERTS$/, isSafe: never, advice: trust },
  { names: /^NODE_USE_SYSTEM_CA$/, isSafe: isOff, advice: trust },
  { names: /^SSL_CERT_(?:FILE|DIR)$/, isSafe: isOfRuntime, advice: trust },
  {
    names: /^AWS_ENDPOINT_URL(?:_|$)/,
    isSafe: isTlsOrLoopback,
    advice: 'use an https:// URL: only an emulator on the loopback address may be called without TLS',
  },
  {
    names: /^NODE_USE_ENV_PROXY$/,
    isSafe: isOff,
    advice: 'remove it, and configure the proxy in a proxyConfig element',
  },
  { names: /^NODE_DEBUG(?:_NATIVE)?$/, isSafe: never, advice: 'remove it: it prints credentials to the log' },
  { names: /^(?:OPENSSL_(?:CONF|CONF_INCLUDE|MODULES|ENGINES))$/, isSafe: isOfRuntime, advice: noOtherCode },
  { names: /^AWS_(?:CONFIG|SHARED_CREDENTIALS)_FILE$/, isSafe: (path) => path === '/dev/null', advice: noOtherCode },
  { names: /^(?:LD_(?:PRELOAD|AUDIT)|AWS_LAMBDA_EXEC_WRAPPER)$/, isSafe: never, advice: noOtherCode },
]

/** Flags of Node.js that change neither TLS, nor the code that runs, nor where output goes. */
const safeFlags = [
  /^--max[-_](?:old|semi)[-_]space[-_]size(?:[-_]percentage)?=\d+$/,
  /^--stack-trace-limit=\d+$/,
  /^--(?:no-)?(?:enable-source-maps|warnings|deprecation|trace-warnings|trace-deprecation)$/,
  /^--(?:no-)?(?:network-family-autoselection|experimental-(?:require-module|detect-module))$/,
  /^--(?:disable-warning|unhandled-rejections|dns-result-order)=\w+$/,
  /^--(?:use-bundled-ca|tls-min-v1\.[23])$/,
]

/**
 * One complaint for each variable that a function on Lambda must not have. It contains the name of the variable, never its value.
 */
export function complaintsOfVariables(variables: Readonly<Record<string, string | undefined>>): string[] {
  const unsafe = Object.entries(variables).flatMap(([name, value]) => {
    const rule = value ? rules.find(({ names }) => names.test(name)) : undefined
    return rule && !rule.isSafe(value ?? '') ? [`${name} is unsafe: ${rule.advice}`] : []
  })
  return [...unsafe, ...complaintsOfFlags(variables['NODE_OPTIONS'] ?? '')]
}

/** A word without a dash is the value of the flag before it, which the complaint names. */
function complaintsOfFlags(options: string): string[] {
  const words = options.split(/\s+/).filter((word) => word !== '' && !safeFlags.some((safe) => safe.test(word)))
  const flags = words.filter((word) => /^["-]/.test(word)).map((word) => word.replace(/=.*/, ''))
  return words.length === 0 ? [] : [`NODE_OPTIONS is unsafe: remove ${flags.join(', ') || 'it'}`]
}

function isTlsOrLoopback(value: string): boolean {
  const url = URL.canParse(value) ? new URL(value) : undefined
  if (url?.protocol === 'https:') return true
  return url?.protocol === 'http:' && ['127.0.0.1', 'localhost', '[::1]'].includes(url.hostname)
}
