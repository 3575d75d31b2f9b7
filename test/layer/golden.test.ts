import { forwardLayer, loadOf, routeLayer, routerLogits } from 'moesim'
import { expect, test } from 'vitest'
import { layerCase, layerCases } from './cases.js'

test.each(layerCases)('%s: router, experts, weights and output are the recorded ones', (name) => {
  const { config, weights, hidden, matches } = layerCase(name)
  matches('routerLogits', routerLogits(hidden, weights.router!, config.router.numExperts, weights.routerBias))
  const routing = routeLayer(hidden, weights, config)
  matches('indices', routing.experts)
  matches('weights', routing.weights)
  matches('tokensPerExpert', loadOf(routing))
  matches('output', forwardLayer(hidden, routing, weights, config))
})

test('the cases are all that there are of a layer, and some of their experts get no token', () => {
  expect(layerCases).toHaveLength(7)
  const { config, weights, hidden } = layerCase('layer-nemotron-h-128')
  expect([...loadOf(routeLayer(hidden, weights, config))].filter((count) => count === 0)).toHaveLength(69)
})
