import { invalid, required } from '../../meta/issues.ts';
import { dns1123Label, dns1123Subdomain } from '../../meta/names.ts';
import type { Issue } from '../../meta/status.ts';

const MAX_SIGNER_BYTES = 571;

/** `example.com/my-signer`: certificates/validation ValidateSignerName. */
export function signerName(path: string, name: string): Issue[] {
  if (name === '') return [required(path)];
  const segments = name.split('/');
  if (segments.length !== 2) {
    return [invalid(path, name, "must be a fully qualified domain and path of the form 'example.com/signer-name'")];
  }
  const [domain = '', rest = ''] = segments;
  const issues = dns1123Subdomain(domain).map((p) =>
    invalid(path, domain, `validating label ${JSON.stringify(domain)}: ${p}`),
  );
  if (domain.split('.').length < 2) {
    issues.push(invalid(path, domain, 'should be a domain with at least two segments separated by dots'));
  }
  for (const part of rest.split('.')) {
    for (const p of dns1123Label(part))
      issues.push(invalid(path, rest, `validating label ${JSON.stringify(part)}: ${p}`));
  }
  if (name.length > MAX_SIGNER_BYTES) {
    issues.push({
      type: 'FieldValueTooLong',
      field: path,
      message: `Too long: may not be more than ${MAX_SIGNER_BYTES} bytes`,
    });
  }
  return issues;
}
