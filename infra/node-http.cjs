/*
 * The whole of node:http, for bundles. To import it as an ES module, or by `import()`, reads all of its exports. One of them,
 * WebSocket, loads Node.js's own undici: some 30 ms of a cold start for what no function uses.
 */
module.exports = process.getBuiltinModule('node:http')
