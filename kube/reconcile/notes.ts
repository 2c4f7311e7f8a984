import type { Status } from '../meta/status.ts';
import type { Note, Write, WrittenNote } from './controller.ts';

/** What is told of a write that went through; nothing where the plan says so. */
export const doneNote = ({ on, reason, message }: WrittenNote): Note | undefined =>
  message === undefined ? undefined : { on, type: 'Normal', reason, message };
/** What is told of a write that was refused: the reason's text is appended. */
export const refusedNote = (n: WrittenNote, write: Write, status: Status): Note | undefined => {
  const before = n.refused ?? `Error ${write.do === 'delete' ? 'deleting' : 'creating'}: `;
  return n.failed === undefined
    ? undefined
    : { on: n.on, type: 'Warning', reason: n.failed, message: before + (status.message ?? '') };
};
