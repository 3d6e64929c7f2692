import { HEADROOM_BYTES, type RoomyBody } from './produce-request.ts';

interface RequestArguments {
  readonly correlationId: number;
  readonly clientId: string;
  readonly request: {
    readonly apiKey: number;
    readonly apiVersion: number;
    encode(): Promise<{ readonly buffer: Buffer } | RoomyBody>;
  };
}

/** Size, API key, API version, correlation id and the length of the client id. */
const FIXED_HEADER_BYTES = 4 + 2 + 2 + 4 + 2;

/**
 * Encodes a whole request (Kafka protocol, request header v1).
 *
 * Replaces kafkajs' `protocol/request`, which copies the body twice. A body with headroom is not copied, any other
 * once.
 */
export async function createRequest({
  correlationId,
  clientId,
  request,
}: RequestArguments): Promise<{ buffer: Buffer }> {
  const body = await request.encode();
  const headerBytes = FIXED_HEADER_BYTES + Buffer.byteLength(clientId);
  const inPlace = 'whole' in body && headerBytes <= HEADROOM_BYTES;
  const content = body.buffer;
  const buffer = inPlace
    ? body.whole.subarray(HEADROOM_BYTES - headerBytes, HEADROOM_BYTES + content.length)
    : Buffer.allocUnsafe(headerBytes + content.length);
  if (!inPlace) content.copy(buffer, headerBytes);
  let at = buffer.writeInt32BE(buffer.length - 4, 0);
  at = buffer.writeInt16BE(request.apiKey, at);
  at = buffer.writeInt16BE(request.apiVersion, at);
  at = buffer.writeInt32BE(correlationId, at);
  at = buffer.writeInt16BE(Buffer.byteLength(clientId), at);
  buffer.write(clientId, at);
  return { buffer };
}
