/** Tensors that together are one matrix, `rows` outputs from `columns` inputs. */
export interface FloatWeight {
  readonly name: string;
  readonly tensors: readonly string[];
  readonly rows: number;
  readonly columns: number;
}
