import { didYouMean } from 'moesim'
import { describe, expect, test } from 'vitest'

describe('didYouMean', () => {
  const names = ['nemotron-3-nano', 'nemotron-3-super', 'mixtral-8x7b', 'qwen3-30b-a3b']

  test('names what a slip of the keys, or half a name, may have meant, the nearest first', () => {
    expect(didYouMean('Mixtral-8x7', names)).toBe("Did you mean 'mixtral-8x7b'? ")
    expect(didYouMean('nemotron-3-namo', names)).toBe(
      "Did you mean 'nemotron-3-nano' or 'nemotron-3-super'? ",
    )
    expect(didYouMean('qwen3', names)).toBe("Did you mean 'qwen3-30b-a3b'? ")
  })

  test('says nothing where nothing is near, and names three at most', () => {
    expect(didYouMean('gpt', names)).toBe('')
    expect(didYouMean('rate', [])).toBe('')
    expect(didYouMean('a', ['a1', 'a2', 'a3', 'a4'])).toBe("Did you mean 'a1' or 'a2' or 'a3'? ")
  })
})
