/** Numbers that a program counts, in the text format that Prometheus reads (version 0.0.4). */

export type Labels = Readonly<Record<string, string>>;

/** A number that only grows. */
export interface Counter {
  /** @param by a finite number of at least 0 */
  add(by: number, labels?: Labels): void;
}

/** A number at the moment that somebody asks. */
export type Sample = readonly [value: number, labels?: Labels, suffix?: string];

/** How often a number came, by how large it was. */
export interface Histogram {
  observe(value: number): void;
}

interface Family {
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly samples: () => readonly Sample[] | Promise<readonly Sample[]>;
}

const NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;

export class Metrics {
  readonly #families: Family[] = [];

  /** @param name as Prometheus wants it: with its unit, and `_total` at the end */
  counter(name: string, help: string): Counter {
    const series = new Map<string, [number, Labels]>();
    this.#register({ name, help, type: 'counter', samples: () => [...series.values()] });
    return {
      add: (by, labels = {}) => {
        if (!(by >= 0 && by < Infinity)) throw new RangeError(`${name} cannot grow by ${by}`);
        const key = labelText(labels);
        series.set(key, [(series.get(key)?.[0] ?? 0) + by, labels]);
      },
    };
  }

  /** @param read asked each time; where it throws, the family is left out */
  gauge(name: string, help: string, read: Family['samples']): void {
    this.#register({ name, help, type: 'gauge', samples: read });
  }

  /** @param bounds upper ends of the buckets, ascending, in the unit of the name */
  histogram(name: string, help: string, bounds: readonly number[]): Histogram {
    const counts = [...bounds, Infinity].map((bound) => ({ bound, count: 0 }));
    let sum = 0;
    const samples = (): Sample[] => [
      ...counts.map(({ bound, count }): Sample => [count, { le: valueText(bound) }, '_bucket']),
      [sum, {}, '_sum'],
      [counts.at(-1)?.count ?? 0, {}, '_count'],
    ];
    this.#register({ name, help, type: 'histogram', samples });
    return {
      observe: (value) => {
        sum += value;
        for (const bucket of counts) if (value <= bucket.bound) bucket.count += 1;
      },
    };
  }

  /** All families in the order in which they were made. */
  async text(): Promise<string> {
    const texts = await Promise.all(this.#families.map(familyText));
    return texts.join('');
  }

  #register(family: Family): void {
    if (!NAME.test(family.name)) throw new RangeError(`${family.name} is no name of a metric`);
    if (this.#families.some(({ name }) => name === family.name))
      throw new RangeError(`${family.name} is there already`);
    this.#families.push(family);
  }
}

async function familyText({ name, help, type, samples }: Family): Promise<string> {
  let lines: string[];
  try {
    lines = (await samples()).map(
      ([value, labels = {}, suffix = '']) => `${name}${suffix}${labelText(labels)} ${valueText(value)}\n`,
    );
  } catch {
    return '';
  }
  const escaped = help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
  return `# HELP ${name} ${escaped}\n# TYPE ${name} ${type}\n${lines.join('')}`;
}

function labelText(labels: Labels): string {
  const pairs = Object.entries(labels).map(
    ([name, value]) =>
      `${name}="${value
        .replaceAll('\\', '\\\\')
        .replaceAll('\n', '\\n')
        .replaceAll('"', String.raw`\"`)}"`,
  );
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}

function valueText(value: number): string {
  if (value === Infinity) return '+Inf';
  return value === -Infinity ? '-Inf' : String(value);
}
