/** A stand-in for a vmagent that accepts every request unread. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface AcceptingNode {
  readonly url: string;
  close(): void;
}

/** @param answerMs how long an answer takes, in ms */
export async function startAcceptingNode(answerMs = 0): Promise<AcceptingNode> {
  const server = createServer((request, response) => {
    request.resume();
    request.on('end', () => setTimeout(() => response.writeHead(204).end(), answerMs));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}
