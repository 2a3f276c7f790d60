/** A document that is read and not changed: what a schema infers, all of it `readonly`. */
export type ReadOnly<T> = T extends object ? { readonly [Key in keyof T]: ReadOnly<T[Key]> } : T;
