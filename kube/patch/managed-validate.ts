import { child, index, invalid, notSupported, required, tooLong } from '../meta/issues.ts';
import { byteLength } from '../meta/names.ts';
import type { ManagedFieldsEntry } from '../meta/object.ts';
import type { Issue } from '../meta/status.ts';
import { fieldManagerIssues } from './field-manager.ts';
import { decodeManaged } from './managed-entries.ts';

/** Bytes of a subresource's name: metav1 validation's MaxSubresourceNameLength. */
const SUBRESOURCE_MAX = 256;

/** What is wrong with metadata.managedFields: metav1 validation's ValidateManagedFields. */
export function managedFieldsIssues(entries: readonly ManagedFieldsEntry[], path = 'metadata.managedFields'): Issue[] {
  const issues: Issue[] = [];
  entries.forEach((entry, i) => {
    const at = index(path, i);
    const { operation = '', fieldsType = '', manager = '', subresource = '' } = entry;
    if (operation === '') issues.push(required(child(at, 'operation'), 'must not be empty'));
    else if (operation !== 'Apply' && operation !== 'Update') {
      issues.push(notSupported(child(at, 'operation'), operation, ['Apply', 'Update']));
    }
    if (fieldsType !== '' && fieldsType !== 'FieldsV1') {
      issues.push(invalid(child(at, 'fieldsType'), fieldsType, 'must be `FieldsV1`'));
    }
    issues.push(...fieldManagerIssues(manager, child(at, 'manager')));
    if (byteLength(subresource) > SUBRESOURCE_MAX) issues.push(tooLong(child(at, 'subresource'), SUBRESOURCE_MAX));
  });
  return issues;
}

/** What a client is warned of when admission left managedFields that can't be read; they are then put back as they were. */
export function invalidAfterAdmission(problem: string): string {
  return `.metadata.managedFields was in an invalid state after admission; this could be caused by an outdated mutating admission controller; please fix your requests: ${problem}`;
}

/** Why managedFields can't be read, in upstream's words; null when they can. */
export function managedFieldsProblem(entries: ManagedFieldsEntry[] | undefined): string | null {
  const decoded = decodeManaged(entries);
  return typeof decoded === 'string' ? decoded : null;
}
