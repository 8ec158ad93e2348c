/*
 * node:http2 for undici in bundles. undici loads it even where no server uses HTTP/2, which adds some 5 ms to the first token
 * request. Without its constants undici behaves as on a Node.js that was built without HTTP/2.
 */
module.exports = { constants: {} }
