// A safetensors file as Hugging Face shards it.

/**
 * @param {Buffer} model
 * @param {number} count of shards
 * @returns {Record<string, Buffer>} the files by name, `model.safetensors.index.json` among them
 */
export function shardsOf(model, count) {
  const length = Number(model.readBigUInt64LE());
  const { __metadata__, ...tensors } = JSON.parse(model.subarray(8, 8 + length).toString());
  const names = Object.keys(tensors);
  const size = Math.ceil(names.length / count);
  const [files, weight_map] = [{}, {}];
  for (let shard = 0; shard < count; shard++) {
    const file = `model-0000${shard + 1}-of-0000${count}.safetensors`;
    const header = { __metadata__: { ...__metadata__, format: 'pt' } };
    const parts = [];
    let end = 0;
    for (const name of names.slice(shard * size, (shard + 1) * size)) {
      const { data_offsets, ...info } = tensors[name];
      const bytes = model.subarray(...data_offsets.map((offset) => 8 + length + offset));
      header[name] = { ...info, data_offsets: [end, (end += bytes.length)] };
      parts.push(bytes);
      weight_map[name] = file;
    }
    const text = Buffer.from(JSON.stringify(header));
    const start = Buffer.alloc(8);
    start.writeBigUInt64LE(BigInt(text.length));
    files[file] = Buffer.concat([start, text, ...parts]);
  }
  const total_size = model.length - 8 - length;
  files['model.safetensors.index.json'] = Buffer.from(JSON.stringify({ metadata: { total_size }, weight_map }));
  return files;
}
