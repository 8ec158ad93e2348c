/*
 * node:http for bundles. To import it as an ES module, or by `import()`, is to read all of its exports, one of which, WebSocket,
 * loads the whole of Node.js's own undici: some 30 ms of a cold start for what no function uses.
 */
module.exports = process.getBuiltinModule('node:http')
