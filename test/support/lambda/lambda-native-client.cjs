// Preloaded into AWS's runtime client. It replaces the HTTP client there, the only part that would need a compiler.
const { registerHooks } = require('node:module')
const { Agent, request } = require('node:http')
const { pathToFileURL } = require('node:url')

const hooks = registerHooks({
  resolve(specifier, context, nextResolve) {
    if (specifier !== './rapid-client.node') return nextResolve(specifier, context)
    // Everything loaded from now on is the function, loaded as Lambda loads it.
    hooks.deregister()
    return { url: pathToFileURL(__filename).href, format: 'commonjs', shortCircuit: true }
  },
})

const base = `http://${process.env['AWS_LAMBDA_RUNTIME_API']}/2018-06-01/runtime/invocation`
const agent = new Agent({ keepAlive: true, maxSockets: 1 })
/** AWS's client waits until an answer is delivered. This one waits at the next invocation instead. */
let delivered = Promise.resolve()

module.exports = {
  async next() {
    await delivered
    const { headers, text } = await send('GET', 'next')
    return { bodyJson: text, headers }
  },
  /**
   * @param {string} id
   * @param {string} text
   */
  done(id, text) {
    deliver(`${id}/response`, text)
  },
  /**
   * @param {string} id
   * @param {string} text
   */
  error(id, text) {
    deliver(`${id}/error`, text)
  },
}

/**
 * @param {string} path
 * @param {string} text
 */
function deliver(path, text) {
  delivered = send('POST', path, text).then(() => {})
}

/**
 * @param {string} method
 * @param {string} path
 * @param {string} [text]
 * @returns {Promise<{ headers: import('node:http').IncomingHttpHeaders, text: string }>}
 */
function send(method, path, text) {
  return new Promise((resolve, reject) => {
    const headers = text === undefined ? {} : { 'content-type': 'application/json' }
    const sent = request(`${base}/${path}`, { method, agent, headers }, (response) => {
      let received = ''
      response.setEncoding('utf8')
      response.on('data', (/** @type {string} */ piece) => {
        received += piece
      })
      response.on('end', () => resolve({ headers: response.headers, text: received }))
      response.on('error', reject)
    })
    sent.on('error', reject)
    sent.end(text)
  })
}
