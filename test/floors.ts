import { dirname, join } from 'node:path/posix'
import ts from 'typescript'

/** The floors from the ground up: a file imports only from floors above it in this list, or from its own. */
const ground = [
  'errors',
  'arrays',
  'suggest',
  'math',
  'normal',
  'stats',
  'threefry',
  'ziggurat',
  'random',
  'distributions',
]
const core = 'formats kernels model router capacity balance metrics layer workload placement cost simulate'
const edges = ['plot', 'parquet', 'tf', 'threads', 'node', 'cli']
const floors = [...ground, ...core.split(' '), ...edges]

/** Who may use which package; 'core' stands for everything that is not an edge. */
const packages: Record<string, string[]> = {
  seedrandom: ['random'],
  commander: ['cli'],
  '@huggingface/gguf': ['node'],
  '@observablehq/plot': ['plot'],
  linkedom: ['plot'],
  'hyparquet-writer': ['parquet'],
  '@tensorflow/tfjs': ['tf'],
  '@tensorflow/tfjs-core': ['tf'],
  '@tensorflow/tfjs-backend-wasm': ['tf'],
}

/** Math that IEEE 754 or the language fixes to the last bit, and constants; all else may differ between engines. */
const exactMath = new Set(
  'abs ceil clz32 floor fround imul max min round sign sqrt trunc E LN10 LN2 LOG10E LOG2E PI SQRT1_2 SQRT2'.split(
    ' ',
  ),
)
const mayKnowTime = new Set(['plot', 'node', 'cli'])
const mayUseEngineMath = new Set(['plot', 'tf', 'node', 'cli'])
const mayUseNode = new Set(['threads', 'node', 'cli']) // threads: types alone, as a page has threads too
const mostLines = 250

/** Files by their path inside src, such as 'router/score.ts'. */
export type Sources = Record<string, string>

/** Every broken rule as one line that starts with the file; an empty list is a sound building. */
export function brokenRules(sources: Sources): string[] {
  const broken: string[] = []
  const graph = new Map<string, string[]>()
  for (const [file, text] of Object.entries(sources)) {
    const tree = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true)
    const say = (message: string): number => broken.push(`${file}: ${message}`)
    const lines = text.trimEnd().split('\n').length
    const isList = file === 'index.ts' // the table of contents is as long as the library has names
    if (lines > mostLines && !isList) say(`has ${lines} lines, more than ${mostLines}`)
    const floor = floorOf(file)
    if (floor !== 'index' && !floors.includes(floor)) say(`stands on no floor; '${floor}' is not in the list`)
    const imports = importsOf(tree)
    for (const specifier of imports) checkImport(file, specifier, sources, say)
    graph.set(
      file,
      imports.filter(isRelative).map((specifier) => target(file, specifier)),
    )
    checkNames(tree, floor, say)
  }
  return [...broken, ...cycles(graph)]
}

/** 'router/score.ts' stands on router, 'math.ts' on math: each ground file is a floor of its own. */
const floorOf = (file: string): string => file.split('/')[0]!.replace(/\.ts$/, '')

const isRelative = (specifier: string): boolean => specifier.startsWith('.')

/** The file in src behind a relative import, which names the .js that the compiler will write. */
const target = (file: string, specifier: string): string =>
  join(dirname(file), specifier).replace(/\.js$/, '.ts')

/** Every module a file names: import, import type, export … from, import(…), and import('…') in a type. */
function importsOf(tree: ts.SourceFile): string[] {
  const found: string[] = []
  const visit = (node: ts.Node): void => {
    const specifier = specifierOf(node)
    if (specifier) found.push(ts.isStringLiteralLike(specifier) ? specifier.text : specifier.getText())
    ts.forEachChild(node, visit)
  }
  visit(tree)
  return found
}

function specifierOf(node: ts.Node): ts.Node | undefined {
  if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) return node.moduleSpecifier
  if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) return node.argument.literal
  if (ts.isExternalModuleReference(node)) return node.expression
  if (!ts.isCallExpression(node)) return undefined
  const called = node.expression
  const loads =
    called.kind === ts.SyntaxKind.ImportKeyword || (ts.isIdentifier(called) && called.text === 'require')
  return loads ? node.arguments[0] : undefined
}

function checkImport(
  file: string,
  specifier: string,
  sources: Sources,
  say: (message: string) => void,
): void {
  const from = floorOf(file)
  const isEdge = edges.includes(from)
  if (!isRelative(specifier)) {
    if (specifier.startsWith('node:')) {
      if (!mayUseNode.has(from)) say(`imports ${specifier}; only threads/, node/ and cli/ may`)
      return
    }
    const users = packages[specifier.replace(/^((?:@[^/]+\/)?[^/]+).*$/, '$1')]
    if (!users) say(`imports ${specifier}, which no floor may use`)
    else if (!users.includes(from) && (isEdge || !users.includes('core'))) {
      say(`imports ${specifier}; only ${users.join(', ')} may`)
    }
    return
  }
  const imported = target(file, specifier)
  if (!(imported in sources)) return void say(`imports ${specifier}, which is no file of src`)
  const to = floorOf(imported)
  // The index is what users import: it may reach every floor but the edges, which need more than the core installs.
  if (from === 'index') {
    if (edges.includes(to)) say(`imports ${specifier}; edges have entries of their own`)
  } else if (to === 'index') {
    if (!isEdge) say('imports the index, which stands above it')
  } else if (isEdge && !edges.includes(to)) {
    say(`imports ${specifier}; edges take the core from the index, as users do`)
  } else if (floors.indexOf(to) > floors.indexOf(from)) {
    say(`imports ${specifier}; ${to} stands above ${from}`)
  }
}

/** Dice, clocks and engine-dependent mathematics, wherever a file names them. */
function checkNames(tree: ts.SourceFile, floor: string, say: (message: string) => void): void {
  const refuse = (node: ts.Node, why: string): void => {
    const line = tree.getLineAndCharacterOfPosition(node.getStart()).line + 1
    say(`line ${line} uses ${node.getText().slice(0, 40)}, ${why}`)
  }
  const visit = (node: ts.Node): void => {
    if (ts.isIdentifier(node) && !isMemberName(node)) {
      if (/^(Date|performance|crypto)$/.test(node.text) && !mayKnowTime.has(floor))
        refuse(node, 'a clock or dice')
      if (node.text === 'Math') checkMath(node)
    }
    if (ts.isBinaryExpression(node) && isPower(node.operatorToken) && !mayUseEngineMath.has(floor)) {
      // A power of two written out is exact everywhere; any other power is the engine's own pow.
      if (node.left.getText() !== '2' || !ts.isNumericLiteral(node.right))
        refuse(node, 'which engines may round apart')
    }
    ts.forEachChild(node, visit)
  }
  const checkMath = (node: ts.Identifier): void => {
    const parent = node.parent
    const member = ts.isPropertyAccessExpression(parent) ? parent.name.text : undefined
    if (member === 'random') {
      if (!mayKnowTime.has(floor)) refuse(parent, 'a clock or dice')
    } else if (!(member && exactMath.has(member)) && !mayUseEngineMath.has(floor)) {
      refuse(parent, 'which engines may round apart')
    }
  }
  visit(tree)
}

/** The `Date` of `report.Date` or `{ Date: 1 }` is a member's name, not the global; that of `globalThis.Date` is. */
function isMemberName(node: ts.Identifier): boolean {
  const parent = node.parent
  if (ts.isPropertyAccessExpression(parent) && parent.expression.getText() === 'globalThis') return false
  return 'name' in parent && parent.name === node && !ts.isShorthandPropertyAssignment(parent)
}

const isPower = (operator: ts.BinaryOperatorToken): boolean =>
  operator.kind === ts.SyntaxKind.AsteriskAsteriskToken ||
  operator.kind === ts.SyntaxKind.AsteriskAsteriskEqualsToken

/** Rings among files, each told once, from the file where a walk in list order first meets it. */
function cycles(graph: Map<string, string[]>): string[] {
  const found: string[] = []
  const done = new Set<string>()
  const walk = (file: string, path: string[]): void => {
    const start = path.indexOf(file)
    if (start >= 0)
      found.push(`${file}: imports itself by way of ${[...path.slice(start), file].join(' → ')}`)
    if (start >= 0 || done.has(file)) return
    for (const next of graph.get(file) ?? []) walk(next, [...path, file])
    done.add(file)
  }
  for (const file of graph.keys()) walk(file, [])
  return found
}
