/**
 * @file SVG and web pages by their first bytes: what has to be told before a picture is decoded.
 */

/** Bytes of a file that are looked at; what editors write before an `<svg>` fits. */
export const HEAD = 16384;

// Bytes as characters of the same numbers.
// (TextDecoder's latin1 is Windows-1252, in which PNG's first byte is another.)
/** @param {Uint8Array} bytes */
export const textOf = (bytes) => String.fromCharCode(...bytes);

/** The text at a file's begin, without what XML and HTML allow before their first element. @param {Uint8Array} bytes */
function markup(bytes) {
  const utf16 = (bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff);
  const label = utf16 ? (bytes[0] === 0xff ? 'utf-16le' : 'utf-16be') : 'utf-8';
  return new TextDecoder(label)
    .decode(bytes.subarray(0, HEAD))
    .replace(/^(\s+|<\?[^]*?\?>|<!--[^]*?-->|<!doctype svg[^[>]*(\[[^\]]*\]\s*)?>)*/i, '');
}

/** Whether a file is an SVG. @param {Uint8Array} bytes */
export const isSvg = (bytes) => /^<([\w.-]+:)?svg[\s/>]/i.test(markup(bytes));

/** Whether a file begins as a web page does, or as another answer in XML that is no picture. @param {Uint8Array} bytes */
export function isWebPage(bytes) {
  const [first] = bytes;
  // The first byte of a text: white space, `<`, or a byte order mark.
  if (!(first === 0x3c || first <= 0x20 || first >= 0xef)) return false;
  const text = markup(bytes);
  return (
    /^<(!doctype\s+html|html|head|body)[\s>]/i.test(text) ||
    (/^\s*<\?xml/i.test(textOf(bytes.subarray(0, 64))) && !isSvg(bytes))
  );
}
