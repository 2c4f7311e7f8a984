import { requestToken } from '../authn/tokenrequest.ts';
import type { Action } from '../parts.ts';

/** POST serviceaccounts/<name>/token. */
export const serviceAccountToken: Action = {
  echoes: true,
  async run(call, _resource, body) {
    const { namespace, name } = call.info;
    const annotate = (key: string, value: string) => {
      call.annotations[key] = value;
    };
    return { object: await requestToken(body, namespace, name, call.cluster, annotate) };
  },
};
