/**
 * The route step as an ONNX model, written out field by field (onnx.proto3 numbers them): logits [N, E] and bias [E] in,
 * experts [N, K] and weights [N, K] out.
 */

const varint = (value: number): number[] =>
  value < 128 ? [value] : [(value & 127) | 128, ...varint(value >>> 7)]
const whole = (field: number, value: number): number[] => [...varint(field << 3), ...varint(value)]
const message = (field: number, ...parts: readonly number[][]): number[] => {
  const content = parts.flat()
  return [...varint((field << 3) | 2), ...varint(content.length), ...content]
}
const text = (field: number, value: string): number[] => message(field, [...Buffer.from(value)])

const [float32, int64] = [1, 7] // TensorProto.DataType

/** NodeProto: inputs 1, outputs 2, op_type 4, attributes 5. */
const node = (type: string, inputs: string[], outputs: string[], ...attributes: number[][]): number[] =>
  message(
    1,
    ...inputs.map((name) => text(1, name)),
    ...outputs.map((name) => text(2, name)),
    text(4, type),
    ...attributes,
  )

/** AttributeProto: name 1, i 3, type 20 = INT. */
const attribute = (name: string, value: number): number[] =>
  message(5, text(1, name), whole(3, value), whole(20, 2))

/** TensorProto: dims 1, data_type 2, name 8, raw_data 9; GraphProto.initializer 5. */
const constant = (name: string, type: number, dims: number[], values: ArrayBufferView): number[] => {
  const bytes = [...new Uint8Array(values.buffer, values.byteOffset, values.byteLength)]
  return message(5, ...dims.map((dim) => whole(1, dim)), whole(2, type), text(8, name), message(9, bytes))
}

/** ValueInfoProto: name 1, type 2 → tensor_type 1 → elem_type 1, shape 2 → dim 1 → dim_value 1. */
const value = (field: number, name: string, type: number, dims: number[]): number[] => {
  const shape = message(2, ...dims.map((dim) => message(1, whole(1, dim))))
  return message(field, text(1, name), message(2, message(1, whole(1, type), shape)))
}

export function routeModel(tokens: number, numExperts: number, topK: number, scale: number): Uint8Array {
  const graph = message(
    7,
    node('Sigmoid', ['logits'], ['scores']),
    node('Add', ['scores', 'bias'], ['keys']),
    node('TopK', ['keys', 'k'], ['best', 'experts']),
    node('GatherElements', ['scores', 'experts'], ['selected'], attribute('axis', 1)),
    node('ReduceSum', ['selected', 'axes'], ['sums']),
    node('Div', ['selected', 'sums'], ['shares']),
    node('Mul', ['shares', 'scale'], ['weights']),
    text(2, 'route'),
    constant('k', int64, [1], BigInt64Array.of(BigInt(topK))),
    constant('axes', int64, [1], BigInt64Array.of(1n)),
    constant('scale', float32, [], Float32Array.of(scale)),
    value(11, 'logits', float32, [tokens, numExperts]),
    value(11, 'bias', float32, [numExperts]),
    value(12, 'experts', int64, [tokens, topK]),
    value(12, 'weights', float32, [tokens, topK]),
  )
  return Uint8Array.from([...whole(1, 8), ...message(8, whole(2, 13)), ...graph]) // IR version 8, operators of set 13
}
