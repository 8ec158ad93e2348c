/*
 * node:http2 for bundles. Nothing here speaks HTTP/2, but undici loads it before it knows that: some 5 ms of the first token
 * request. Without these constants it does as on a Node.js that was built without it.
 */
module.exports = { constants: {} }
