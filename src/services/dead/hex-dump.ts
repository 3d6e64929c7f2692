const ROW = 16;

/** Bytes as lines of offset, hexadecimal and text, at most `most` bytes of them. */
export function hexDump(bytes: Uint8Array, most: number): string[] {
  const lines: string[] = [];
  for (let at = 0; at < Math.min(bytes.length, most); at += ROW) {
    const row = [...bytes.subarray(at, Math.min(at + ROW, most))];
    const hex = row.map((byte) => byte.toString(16).padStart(2, '0'));
    const halves = [hex.slice(0, 8).join(' ').padEnd(23), hex.slice(8).join(' ').padEnd(23)].join('  ');
    const text = row.map((byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '.')).join('');
    lines.push(`${at.toString(16).padStart(8, '0')}  ${halves}  ${text}`);
  }
  if (bytes.length > most) lines.push(`… ${bytes.length - most} bytes more; --raw writes them all`);
  return lines;
}
