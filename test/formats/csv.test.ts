import fc from 'fast-check'
import { readCsv, readLoadCsv, writeCsv } from 'moesim'
import { describe, expect, test } from 'vitest'

describe('readCsv', () => {
  test('reads names and cells, with quotes, and lines that end either way', () => {
    const text = '\uFEFFname,"a ""b"""\r\nx,1\n"y,\nz",\n'
    expect(readCsv(text)).toEqual({
      columns: ['name', 'a "b"'],
      rows: [
        ['x', '1'],
        ['y,\nz', ''],
      ],
    })
    expect(readCsv('a\n1')).toEqual({ columns: ['a'], rows: [['1']] })
    expect(readCsv('a').rows).toEqual([])
  })

  test('reads back whatever is written with every cell in quotes', () => {
    const cell = fc.string({ unit: fc.constantFrom('a', '"', ',', '\n', '\r', ' ', '\uFEFF') })
    const quoted = (row: string[]): string => row.map((text) => `"${text.replaceAll('"', '""')}"`).join(',')
    fc.assert(
      fc.property(fc.array(fc.tuple(cell, cell)), (rows) => {
        expect(readCsv([['m', 'n'], ...rows].map(quoted).join('\n'))).toEqual({ columns: ['m', 'n'], rows })
      }),
    )
  })

  test('reads back what writeCsv writes', () => {
    const cell = fc.string({ unit: fc.constantFrom('a', '"', ',', '\n', '\r', ' ', '\uFEFF') })
    fc.assert(
      fc.property(fc.array(fc.tuple(cell, cell)), (rows) => {
        expect(readCsv(writeCsv([['m', 'n'], ...rows]))).toEqual({ columns: ['m', 'n'], rows })
      }),
    )
    expect(
      writeCsv([
        ['a', 'b,"c"'],
        [1.5, undefined],
      ]),
    ).toBe('a,"b,""c"""\n1.5,\n')
  })

  test.each([
    ['', 'every column must have a name of its own, got ""'],
    ['a,,b\n', 'every column must have a name of its own, got ""'],
    ['a,b,a\n', 'every column must have a name of its own, got "a"'],
    ['a,b\n1,2\n3\n', 'row 2 must have 2 cells, as there are columns, got 1'],
    ['a,b\n\n1,2\n', 'row 1 must have 2 cells, as there are columns, got 1'],
    ['a,b\n1,"2\n', 'a quote must open a cell and close it, got "\\"2"'],
    ['a,b\n1,2"3"\n', 'a quote must open a cell and close it, got "2\\"3\\""'],
    ['a,b\n1,"2"3\n', 'a quote must open a cell and close it, got "\\"2\\"3"'],
    ['a,b\n1,2\r3\n', 'a quote must open a cell and close it'],
  ])('refuses %j', (text, message) => {
    expect(() => readCsv(text)).toThrow(`csv: ${message}`)
  })
})

describe('readLoadCsv', () => {
  test('reads layers in their order, experts in any', () => {
    const layers = readLoadCsv('load,layer,expert\n3,4,1\n1e2,4,0\n7,1,0\n0.5,1,1\n')
    expect(layers.map(({ index, load }) => [index, ...load])).toEqual([
      [1, 7, 0.5],
      [4, 100, 3],
    ])
    expect(readLoadCsv('expert,load\n0,5\n1,6\n')).toEqual([{ index: 0, load: Float64Array.of(5, 6) }])
  })

  test('reads as many experts as there are rows, and refuses one beyond them', () => {
    const rows = Array.from({ length: 200000 }, (_, e) => `${e},1`).join('\n')
    expect(readLoadCsv(`expert,load\n${rows}\n`)[0].load).toHaveLength(200000)
    expect(() => readLoadCsv(`expert,load\n${rows}\n200001,1\n`)).toThrow(
      'layer 0 must name every expert from 0 to 200001, got "none for 200000"',
    )
  })

  test.each([
    ['expert\n0\n', 'the columns must be expert and load, and layer if there are several, got "expert"'],
    ['expert,load,step\n0,1,2\n', 'the columns must be expert and load'],
    ['expert,load\n', 'there must be a row for each expert, got 0'],
    ['expert,load\n0,1\n0,2\n', 'layer 0 must name each expert once, got 0'],
    ['expert,load\n0,1\n2,2\n', 'layer 0 must name every expert from 0 to 2, got "none for 1"'],
    ['expert,load\n-1,1\n', 'expert must be a whole number below 1e9, got "-1". Count from 0.'],
    ['layer,expert,load\n1.5,0,1\n', 'layer must be a whole number below 1e9, got "1.5"'],
    ['expert,load\n0,\n', 'load must be a finite number of at least 0, got ""'],
    ['expert,load\n0,-1\n', 'load must be a finite number of at least 0, got "-1"'],
    ['expert,load\n0,1e999\n', 'load must be a finite number of at least 0, got "1e999"'],
    ['expert,load\n0,many\n', 'load must be a finite number of at least 0, got "many"'],
  ])('refuses %j', (text, message) => {
    expect(() => readLoadCsv(text)).toThrow(`readLoadCsv: ${message}`)
  })
})
