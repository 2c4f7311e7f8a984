import type { Case, Step } from '../case.ts';

// How the OpenAPI v2 document is negotiated. Only heads are asked for: the bodies are megabytes, and compared by test/api/openapi.test.ts.

const head = (headers: Record<string, string>): Step => ({ method: 'HEAD', path: '/openapi/v2', headers });
const PROTOBUF = 'application/com.github.proto-openapi.spec.v2.v1.0+protobuf';
const OLD_PROTOBUF = 'application/com.github.proto-openapi.spec.v2@v1.0+protobuf';

export const openapi: readonly Case[] = [
  {
    name: 'OpenAPI v2 comes as JSON unless protobuf is asked for, by either of its names',
    steps: [
      '*/*',
      'application/*',
      'application/json',
      PROTOBUF,
      OLD_PROTOBUF,
      `${PROTOBUF};q=0.5, application/json`,
      `application/json;q=0.5, ${OLD_PROTOBUF}`,
      `text/html, ${PROTOBUF}`,
      'application/vnd.kubernetes.protobuf, */*;q=0.1',
    ].map((accept) => head({ accept })),
  },
  {
    name: 'OpenAPI v2 in another form is not acceptable',
    steps: ['text/html', 'application/yaml', 'application/vnd.kubernetes.protobuf'].map((accept) => ({
      ...head({ accept }),
      method: 'GET',
    })),
  },
  {
    name: 'OpenAPI v2 is not sent to who has it',
    steps: [
      ...['application/json', PROTOBUF].map((accept) => ({
        ...head({ accept, 'if-none-match': '*' }),
        method: 'GET',
      })),
      head({ accept: PROTOBUF, 'if-none-match': '"another"' }),
    ],
  },
];
