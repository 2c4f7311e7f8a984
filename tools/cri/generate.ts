// Writes node-agent/runtime/generated/cri.json: the CRI v1 services and messages as a protobufjs JSON descriptor, without
// comments. Run: node tools/cri/generate.ts [path of cri-api's api.proto]; `--check` compares instead of writing.
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import protobuf from 'protobufjs';

const VERSION = 'v0.37.1';
const OUT = join(import.meta.dirname, '../../node-agent/runtime/generated/cri.json');

/** Where the Go toolchain keeps cri-api's proto file; fetched when it isn't there yet. */
function protoPath(): string {
  const text = execFileSync('go', ['mod', 'download', '-json', `k8s.io/cri-api@${VERSION}`], { encoding: 'utf8' });
  const { Dir } = JSON.parse(text) as { Dir: string };
  return join(Dir, 'pkg/apis/runtime/v1/api.proto');
}

/** Windows messages are never used by this agent; leaving them out saves a sixth of the descriptor's memory. */
const unused = (name: string) => name.startsWith('Windows');

interface Node {
  fields?: Record<string, Node>;
  methods?: Record<string, Node>;
  nested?: Record<string, Node>;
  values?: Record<string, number>;
  type?: string;
  requestType?: string;
  comment?: unknown;
  comments?: unknown;
  options?: unknown;
}

/** Drops comments, options and what `unused` names, in place. (A field may itself be called `options`.) */
function prune(node: Node): void {
  delete node.comment;
  delete node.comments;
  delete node.options;
  for (const members of [node.fields, node.methods, node.nested]) {
    for (const [name, member] of Object.entries(members ?? {})) {
      if (members && (unused(name) || (member.type !== undefined && unused(member.type)))) delete members[name];
      else prune(member);
    }
  }
}

const args = process.argv.slice(2);
const path = args.find((a) => !a.startsWith('--')) ?? protoPath();
const parsed = protobuf.parse(readFileSync(path, 'utf8'), { keepCase: false, alternateCommentMode: false });
const root = parsed.root.toJSON({ keepComments: false }) as Node;
prune(root);
const text = `${JSON.stringify(root, null, 1)}\n`;
if (args.includes('--check')) {
  if (readFileSync(OUT, 'utf8') !== text) {
    console.error(`${OUT} is not what tools/cri/generate.ts makes from cri-api ${VERSION}`);
    process.exit(1);
  }
} else {
  writeFileSync(OUT, text);
}
