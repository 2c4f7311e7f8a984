/**
 * The value of `key` in a file of `NAME='value'` lines, '' when it isn't there: pkg/kubelet/util/env. Values stand in single quotes, may go over
 * lines, and mean themselves; `#` begins a comment. Throws with the line of what isn't so.
 */
export function envFileValue(text: string, key: string): string {
  const lines = text.split('\n').map((l) => l.replace(/\r$/, ''));
  if (lines.at(-1) === '') lines.pop();
  const wrong = (n: number, why: string) => new Error(`invalid environment variable format at line ${n}: ${why}`);
  for (let i = 0; i < lines.length; i++) {
    const line = (lines[i] ?? '').replace(/^[ \t]+/, '');
    if (line === '' || line.startsWith('#')) continue;
    const at = line.indexOf('=');
    if (at === -1) throw wrong(i + 1, "missing '='");
    const name = line.slice(0, at);
    if (name.trim() === '') throw wrong(i + 1, 'empty variable name');
    if (/[ \t]$/.test(name)) throw wrong(i + 1, "whitespace before '=' is not allowed");
    const given = line.slice(at + 1);
    // `NAME= 'x'` is an empty value, as a shell reads it.
    if (/^[ \t]/.test(given)) {
      if (name === key) return '';
      continue;
    }
    if (!given.startsWith("'")) throw wrong(i + 1, 'value must be enclosed in single quotes');
    const begin = i + 1;
    let rest = given.slice(1);
    let value = '';
    for (let end = rest.indexOf("'"); end === -1; end = rest.indexOf("'")) {
      value += `${rest}\n`;
      i++;
      if (i >= lines.length)
        throw new Error(`invalid environment variable format starting at line ${begin}: unclosed single quote`);
      rest = lines[i] ?? '';
    }
    const end = rest.indexOf("'");
    value += rest.slice(0, end);
    if (!/^[ \t]*(#.*)?$/.test(rest.slice(end + 1))) throw wrong(i + 1, 'unexpected content after closing quote');
    if (name === key) return value;
  }
  return '';
}
