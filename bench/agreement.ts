/*
Do the SIMD kernel, its plain twin and the naive reference route every token alike, to the last bit? Mixed routers, biases and
logits, hard ones included: saturated, equal, denormal, signed zeros, masks of −∞, huge biases, K = E, one token.

npm run bench:agreement -- [tokens, 10 million unless given] [seed]
*/
import { route } from 'moesim'
import { withoutWebAssembly } from '../test/kernels/plain.js'
import { naiveRoute } from '../test/router/naive-route.js'
import { routeCase } from '../test/router/route-cases.js'

const wanted = Number(process.argv[2] ?? 10_000_000)
const firstSeed = Number(process.argv[3] ?? 0)

function differences(one: ArrayLike<number>, other: ArrayLike<number>): number {
  let count = 0
  for (let i = 0; i < one.length; i++) if (!Object.is(one[i], other[i])) count++
  return count
}

let [tokens, kernelDiffers, twinDiffers, told] = [0, 0, 0, 0]
for (let seed = firstSeed; tokens < wanted; seed++) {
  const { name, logits, router, bias } = routeCase(seed, 200_000)
  const naive = naiveRoute(logits, router, bias)
  const kernel = route(logits, router, bias)
  const twin = withoutWebAssembly(() => route(logits, router, bias))
  const byKernel = differences(kernel.experts, naive.experts) + differences(kernel.weights, naive.weights)
  const byTwin = differences(twin.experts, naive.experts) + differences(twin.weights, naive.weights)
  if (byKernel + byTwin > 0) console.log(`${byKernel} and ${byTwin} differing: ${name}`)
  kernelDiffers += byKernel
  twinDiffers += byTwin
  tokens += kernel.tokens
  if (tokens >= told + wanted / 10) {
    told = tokens
    console.error(`${tokens} tokens`)
  }
}
console.log(
  `${tokens} tokens: ${kernelDiffers} differing indices and weights of the kernel, ${twinDiffers} of its plain twin`,
)
if (kernelDiffers + twinDiffers > 0) process.exitCode = 1
