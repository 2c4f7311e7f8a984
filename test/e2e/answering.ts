// A server on a machine of a test, `node answering.ts PORT`: /open says how many requests of /never are under way, which it doesn't answer; every other path is
// answered with what was asked. WebSockets get back what they say, but those of /none are refused.
import { createServer } from 'node:http';
import { WebSocketServer } from 'ws';

let open = 0;
const server = createServer((q, a) => {
  if (q.url === '/never') {
    open++;
    a.on('close', () => open--);
    return;
  }
  a.setHeader('content-type', 'application/json');
  a.end(JSON.stringify(q.url === '/open' ? open : { url: q.url, headers: q.headers }));
});
const sockets = new WebSocketServer({ noServer: true });
server.on('upgrade', (q, socket, first) => {
  if (q.url === '/none') return socket.end('HTTP/1.1 403 Forbidden\r\ncontent-length: 3\r\n\r\nno\n');
  sockets.handleUpgrade(q, socket, first, (s) => s.on('message', (data, binary) => s.send(data, { binary })));
});
server.listen(Number(process.argv[2]), () => console.log('listening'));
