/*
 * node:http for bundles. An `import` or `import()` of node:http reads all of its exports. One of them, WebSocket, loads the
 * undici of Node.js, which adds some 30 ms to a cold start. No function uses it.
 */
module.exports = process.getBuiltinModule('node:http')
