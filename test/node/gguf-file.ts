/** The bytes of a GGUF file, version 3, with the header of these tensors and no data. */
export function ggufFile(
  tensors: readonly { readonly name: string; readonly type: number; readonly shape: readonly number[] }[],
): Uint8Array {
  const u32 = (value: number): Buffer => {
    const bytes = Buffer.alloc(4)
    bytes.writeUInt32LE(value)
    return bytes
  }
  const u64 = (value: number): Buffer => {
    const bytes = Buffer.alloc(8)
    bytes.writeBigUInt64LE(BigInt(value))
    return bytes
  }
  const text = (value: string): Buffer => Buffer.concat([u64(Buffer.byteLength(value)), Buffer.from(value)])
  const stringType = 8
  return Buffer.concat([
    ...[Buffer.from('GGUF'), u32(3), u64(tensors.length), u64(1)],
    ...[text('general.architecture'), u32(stringType), text('nemotron_h_moe')],
    ...tensors.flatMap(({ name, type, shape }) => [
      ...[text(name), u32(shape.length), ...shape.map(u64), u32(type), u64(0)],
    ]),
    Buffer.alloc(64),
  ])
}
