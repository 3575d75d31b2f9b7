// Writes the table of figures into test/README.md: npm run figures
import { readFileSync, writeFileSync } from 'node:fs'
import { figuresTable } from './figures.js'

const file = new URL('../README.md', import.meta.url)
const text = readFileSync(file, 'utf8')
writeFileSync(
  file,
  text.replace(/\| figure \| elsewhere[^\n]*\n(?:\|[^\n]*\n)*/, () => `${figuresTable()}\n`),
)
