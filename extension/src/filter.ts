/**
 * The filter of the list: words that must all occur, and comparisons.
 *
 * `hgb failed` keeps runs in whose name, label, status, tags, parameters... both words occur; `rmse < 70`
 * compares a metric or a parameter. It is made for typing; the query language of `provenote runs` can more.
 */

import { flatten, formatValue, numeric } from './format';
import { IRun, Value } from './runs';

export type Test = (run: IRun) => boolean;

const COMPARISON = /([^\s<>=!]+)\s*(<=|>=|!=|==|=|<|>)\s*([^\s<>=!]+)/g;

/** Read a filter; one that is being typed (`rmse <`) keeps what its finished parts keep. */
export function parseFilter(filter: string): Test {
  const tests: Test[] = [];
  const rest = filter.replace(COMPARISON, (_, key: string, operator: string, operand: string) => {
    tests.push(run => compare(run, key, operator, operand));
    return ' ';
  });
  for (const word of rest.toLowerCase().split(/\s+/)) {
    if (/[^<>=!]/.test(word)) {
      tests.push(run => searchable(run).includes(word));
    }
  }
  return run => tests.every(test => test(run));
}

function compare(run: IRun, key: string, operator: string, operand: string): boolean {
  const value = lookUp(run, key);
  if (value === undefined) {
    return false;
  }
  const left = numeric(value);
  const right = operand.trim() === '' ? NaN : Number(operand);
  if (left === null || Number.isNaN(right)) {
    const same = formatValue(value).toLowerCase() === operand.toLowerCase();
    return operator === '=' || operator === '==' ? same : operator === '!=' && !same;
  }
  switch (operator) {
    case '<':
      return left < right;
    case '<=':
      return left <= right;
    case '>':
      return left > right;
    case '>=':
      return left >= right;
    case '!=':
      return left !== right;
    default:
      return left === right;
  }
}

/** The value that a key means: a field, else a metric, else a parameter; of a nested one the last part will do. */
function lookUp(run: IRun, key: string): Value | undefined {
  if (key === 'status' || key === 'name' || key === 'label' || key === 'linearity') {
    return run[key];
  }
  for (const [prefix, values] of [['metrics.', run.metrics] as const, ['params.', run.params] as const]) {
    const plain = key.startsWith(prefix) ? key.slice(prefix.length) : key;
    if (values[plain] !== undefined) {
      return values[plain];
    }
    const paths = flatten(values);
    const nested =
      paths.find(([path]) => path === plain) ?? paths.find(([path]) => path.endsWith(`.${plain}`));
    if (nested !== undefined) {
      return nested[1];
    }
  }
  return undefined;
}

const texts = new WeakMap<IRun, string>();

/** Everything of a run that words are looked for in; made once a run. */
function searchable(run: IRun): string {
  let text = texts.get(run);
  if (text === undefined) {
    const params = flatten(run.params).map(([key, value]) => `${key}=${formatValue(value)}`);
    const fields = [run.name, run.label, run.status, run.reason ?? '', run.linearity, run.id];
    fields.push(...run.tags, ...run.notes, ...params, ...Object.keys(run.metrics));
    text = fields.join('\n').toLowerCase();
    texts.set(run, text);
  }
  return text;
}
