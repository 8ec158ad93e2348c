/*
 * node:http2 for undici in bundles. undici loads it before it knows whether anything speaks HTTP/2, which costs some 5 ms of the
 * first token request. Without these constants undici behaves as on a Node.js that was built without HTTP/2.
 */
module.exports = { constants: {} }
