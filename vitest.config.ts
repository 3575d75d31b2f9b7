import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    setupFiles: ['test/seed.ts'],
    testTimeout: 60_000,
    // The library keeps no state of its own, so test files may share a worker: on two cores that takes a quarter
    // of the time of a worker for each file.
    pool: 'threads',
    isolate: false,
    reporters: ['default', ['json', { outputFile: 'reports/vitest.json' }]],
    coverage: {
      enabled: true,
      provider: 'v8',
      // Tests run what ships: 'moesim' resolves to dist through the package's own exports. Source maps lead
      // every number back to src, so the thresholds below name src.
      include: ['dist/**/*.js'],
      exclude: ['dist/cli/main.js'], // tests start it as a child process, which is out of sight here
      reporter: ['text-summary', ['text', { skipFull: true }], 'html'],
      thresholds: {
        statements: 90,
        branches: 90,
        functions: 90,
        lines: 90,
        'src/router/**': { 100: true },
        'src/balance/**': { 100: true },
        'src/capacity/**': { 100: true },
        'src/model/**': { 100: true },
        'src/metrics/**': { 100: true },
        'src/placement/**': { 100: true },
        'src/cost/**': { 100: true },
      },
    },
  },
})
