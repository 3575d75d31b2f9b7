/** The part of @huggingface/gguf that is used here: the package may be absent, so its own types are not asked for. */
declare module '@huggingface/gguf' {
  export function gguf(
    path: string,
    options: { allowLocalFile: true },
  ): Promise<{ tensorInfos: readonly { name: string; dtype: number; shape: readonly bigint[] }[] }>
  /** Names by number. */
  export const GGMLQuantizationType: Readonly<Record<number, string>>
}
