import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { drawPicture, pictureSources, svgPathOf } from './pictures.ts'

/* npm run pictures: draws the pictures of the pages from their sources. */
const root = join(import.meta.dirname, '..')
for (const source of pictureSources(root)) {
  writeFileSync(join(root, svgPathOf(source)), await drawPicture(root, source))
  console.log(`wrote ${svgPathOf(source)}`)
}
// D2 keeps a worker.
process.exit()
