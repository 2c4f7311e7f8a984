import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as names from './names.ts';

test('good names have no problems and bad ones are told in upstream words', () => {
  const label =
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
  const cases: [check: (v: string) => readonly string[], value: string, problems: string[]][] = [
    [names.dns1123Label, 'a-1', []],
    [names.dns1123Label, 'A', [label]],
    [names.dns1123Label, 'a.b', ['must not contain dots']],
    [names.dns1123Label, 'a'.repeat(64), ['must be no more than 63 characters']],
    [names.dns1123Subdomain, 'a.b-c', []],
    [names.dns1035Label, 'a1', []],
    [names.qualifiedName, 'example.com/A_b', []],
    [names.qualifiedName, '/a', ['prefix part must be non-empty']],
    [names.qualifiedName, 'a'.repeat(64), ['name part must be no more than 63 bytes']],
    [names.labelValue, '', []],
    [
      names.labelValue,
      'é'.repeat(32),
      [
        'must be no more than 63 bytes',
        "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')",
      ],
    ],
    [names.portName, 'http', []],
    [
      names.portName,
      '80--',
      [
        'must contain at least one letter (a-z)',
        'must not contain consecutive hyphens',
        'must not begin or end with a hyphen',
      ],
    ],
    [names.configMapKey, '..a', ["must not start with '..'"]],
    [names.pathSegmentName, 'a/b%', ["may not contain '/'", "may not contain '%'"]],
    [names.pathSegmentName, '..', ["may not be '..'"]],
    [names.relaxedEnvVarName, 'a b', []],
    [
      names.relaxedEnvVarName,
      'a=b',
      ["a valid environment variable name must consist only of printable ASCII characters other than '='"],
    ],
  ];
  for (const [check, value, problems] of cases) assert.deepEqual(check(value), problems, value);
});

test('a generateName may end with a dash', () => {
  assert.deepEqual(names.nameIsDnsSubdomain('web-', true), []);
  assert.notDeepEqual(names.nameIsDnsSubdomain('web-', false), []);
});

test('text is measured in UTF-8', () => {
  for (const s of ['', 'abc', 'é', '€', '😀x']) assert.equal(names.byteLength(s), new TextEncoder().encode(s).length);
});

test('texts are longer together than a number of bytes, whatever they are made of', () => {
  for (const texts of [[], ['abc', 'd'], ['é€', '😀x', 'a'], ['', '€€€€']]) {
    const bytes = new TextEncoder().encode(texts.join('')).length;
    for (let max = 0; max < 20; max++) assert.equal(names.longerTogether(texts, max), bytes > max, `${texts} ${max}`);
    assert.equal(names.longerTogether(texts, -1), true);
  }
});
