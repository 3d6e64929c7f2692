/** Characters that a terminal obeys, or that forge the text around them. */
export function obeyed(text: string): string[] {
  return [...text].filter((character) => {
    const code = character.codePointAt(0)!;
    const between = (from: number, to: number) => code >= from && code <= to;
    return (
      between(0, 0x1f) ||
      between(0x7f, 0x9f) ||
      between(0x2028, 0x202e) ||
      between(0x2066, 0x2069) ||
      between(0x200e, 0x200f)
    );
  });
}
