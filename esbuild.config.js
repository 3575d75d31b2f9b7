// What tsc leaves to do: JavaScript from TypeScript. The core becomes one file, since every file more is time that an
// import waits; an edge stays file to file, and takes the core from that one. Types are tsc's.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { build } from 'esbuild'

const common = {
  format: 'esm',
  target: 'es2022',
  sourcemap: true,
  sourcesContent: false, // they lie in src, which is packed too
  outbase: 'src',
  outdir: 'dist',
  logLevel: 'warning',
}
const edges = ['cli', 'node', 'plot', 'parquet', 'tf', 'threads'].filter((edge) => existsSync(`src/${edge}`))
const files = edges
  .flatMap((edge) => readdirSync(`src/${edge}`).map((file) => `src/${edge}/${file}`))
  .filter((file) => !file.endsWith('.d.ts'))

// seedrandom is CommonJS, whose loader alone would cost Node a third of the import; its notice goes where it goes.
const [notice] = readFileSync('node_modules/seedrandom/seedrandom.js', 'utf8').match(/\/\*[\s\S]*?\*\//)
/** seedrandom asks Node's crypto for a seed where it is given none, which never happens here. */
function leaveOutCrypto({ onResolve, onLoad }) {
  onResolve({ filter: /^crypto$/ }, () => ({ path: 'crypto', namespace: 'empty' }))
  onLoad({ filter: /.*/, namespace: 'empty' }, () => ({ contents: 'module.exports = {}' }))
}

await build({
  ...common,
  entryPoints: ['src/index.ts'],
  bundle: true,
  platform: 'neutral',
  mainFields: ['main'],
  plugins: [{ name: 'no crypto', setup: leaveOutCrypto }],
  alias: { seedrandom: 'seedrandom/seedrandom.js' }, // its other six generators stay out
  banner: { js: notice },
})
await build({ ...common, entryPoints: files })
