/* A process that does nothing. */
process.stdout.write('no token')
process.exit()
