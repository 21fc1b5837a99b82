// Writes a PyTorch checkpoint in the zip format, as torch.save does, with small random weights: the files that people
// bring are too large to keep as goldens.
import { crc32 } from 'node:zlib';

const text = (string) => {
  const bytes = Buffer.from(string);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(bytes.length);
  return Buffer.concat([Buffer.from('X'), length, bytes]); // BINUNICODE
};
const integer = (number) => {
  const bytes = Buffer.alloc(5);
  bytes.write('J'); // BININT
  bytes.writeInt32LE(number, 1);
  return bytes;
};
const global = (module, name) => Buffer.from(`c${module}\n${name}\n`);
const tuple = (...items) => Buffer.concat([Buffer.from('('), ...items, Buffer.from('t')]);
const orderedDict = Buffer.concat([global('collections', 'OrderedDict'), Buffer.from(')R')]);

function tensor(storage, type, shape) {
  const strides = shape.map((_, axis) => shape.slice(axis + 1).reduce((a, b) => a * b, 1));
  const count = shape.reduce((a, b) => a * b, 1);
  const persistent = tuple(text('storage'), global('torch', type), text(String(storage)), text('cpu'), integer(count));
  const sizes = [tuple(...shape.map(integer)), tuple(...strides.map(integer))];
  const argument = tuple(
    persistent,
    Buffer.from('Q'),
    integer(0),
    ...sizes,
    Buffer.from('\x89', 'latin1'),
    orderedDict,
  );
  return Buffer.concat([global('torch._utils', '_rebuild_tensor_v2'), argument, Buffer.from('R')]);
}

/** A zip archive of stored entries. */
function archive(entries) {
  const [parts, directory] = [[], []];
  let offset = 0;
  for (const [name, data] of entries) {
    const header = Buffer.alloc(30);
    header.writeUInt32LE(0x04034b50);
    header.writeUInt16LE(20, 4);
    header.writeUInt32LE(crc32(data), 14);
    header.writeUInt32LE(data.length, 18);
    header.writeUInt32LE(data.length, 22);
    header.writeUInt16LE(name.length, 26);
    const central = Buffer.alloc(46);
    central.writeUInt32LE(0x02014b50);
    central.writeUInt16LE(20, 4);
    header.copy(central, 6, 4, 30);
    central.writeUInt32LE(offset, 42);
    directory.push(central, Buffer.from(name));
    parts.push(header, Buffer.from(name), data);
    offset += header.length + name.length + data.length;
  }
  const list = Buffer.concat(directory);
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50);
  end.writeUInt16LE(entries.length, 8);
  end.writeUInt16LE(entries.length, 10);
  end.writeUInt32LE(list.length, 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...parts, list, end]);
}

/**
 * @param {[string, number[]][]} keys names and shapes in the checkpoint's order
 * @returns {Buffer}
 */
export function checkpoint(keys) {
  let state = 1;
  const random = () => (state = (Math.imul(state, 1664525) + 1013904223) | 0) / 2 ** 31;
  const storages = [];
  const items = keys.map(([name, shape], i) => {
    const count = shape.reduce((a, b) => a * b, 1);
    if (!shape.length) {
      storages.push(Buffer.alloc(8));
      return Buffer.concat([text(name), tensor(i, 'LongStorage', shape)]);
    }
    const scale = shape.length > 1 ? Math.sqrt(3 / (count / shape[0])) : 0.1;
    const base = /running_var|(bn\d|\.1|\.2|\.5)\.weight$/.test(name) && shape.length === 1 ? 1 : 0;
    const values = Float32Array.from({ length: count }, () => base + scale * random());
    storages.push(Buffer.from(values.buffer));
    return Buffer.concat([text(name), tensor(i, 'FloatStorage', shape)]);
  });
  const pickle = Buffer.concat([
    Buffer.from('\x80\x02', 'latin1'),
    orderedDict,
    Buffer.from('('),
    ...items,
    Buffer.from('u.'),
  ]);
  return archive([
    ['archive/data.pkl', pickle],
    ['archive/byteorder', Buffer.from('little')],
    ...storages.map((data, i) => [`archive/data/${i}`, data]),
    ['archive/version', Buffer.from('3\n')],
  ]);
}
