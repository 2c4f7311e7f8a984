import { relink } from './proxying.ts';

/** Elements and their attributes that hold addresses. */
const LINKS: Readonly<Record<string, readonly string[]>> = {
  a: ['href'],
  applet: ['codebase'],
  area: ['href'],
  audio: ['src'],
  base: ['href'],
  blockquote: ['cite'],
  body: ['background'],
  button: ['formaction'],
  command: ['icon'],
  del: ['cite'],
  embed: ['src'],
  form: ['action'],
  frame: ['longdesc', 'src'],
  head: ['profile'],
  html: ['manifest'],
  iframe: ['longdesc', 'src'],
  img: ['longdesc', 'src', 'usemap'],
  input: ['src', 'usemap', 'formaction'],
  ins: ['cite'],
  link: ['href'],
  object: ['classid', 'codebase', 'data', 'usemap'],
  q: ['cite'],
  script: ['src'],
  source: ['src'],
  video: ['poster', 'src'],
};

/** The answer with its links pointing through the proxy: a redirect's Location, and those of HTML. */
export function relinked(answer: Response, prefix: string, host: string): Response {
  const location = answer.headers.get('location');
  if (location !== null) {
    const headers = new Headers(answer.headers);
    headers.set('location', relink(location, prefix, host));
    return new Response(answer.body, { status: answer.status, headers });
  }
  const type = (answer.headers.get('content-type') ?? '').split(';')[0]?.trim().toLowerCase();
  if (type !== 'text/html' || answer.body === null || answer.headers.has('content-encoding')) return answer;
  const rewriter = new HTMLRewriter();
  for (const [tag, names] of Object.entries(LINKS))
    rewriter.on(tag, {
      element(e) {
        for (const name of names) {
          const link = e.getAttribute(name);
          if (link) e.setAttribute(name, relink(link, prefix, host));
        }
      },
    });
  const headers = new Headers(answer.headers);
  headers.delete('content-length');
  return rewriter.transform(new Response(answer.body, { status: answer.status, headers }));
}
