//! What a file is that is no model, by its first bytes.

/// A sentence about a file that begins as one of another kind does.
pub fn of_no_model(bytes: &[u8]) -> Option<String> {
    // The length of a safetensors header may begin with any byte; it ends with zeros, and a bracket follows.
    if bytes.get(3..9) == Some(&[0, 0, 0, 0, 0, b'{']) {
        return None;
    }
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes).trim_ascii_start();
    if text.starts_with(b"version https://git-lfs") {
        return Some(
            "the model is a pointer of Git LFS, not the file itself: run `git lfs pull` where it was cloned, or download \
             the file"
                .into(),
        );
    }
    if text.starts_with(b"{") && contains(text, b"\"weight_map\"") {
        return Some(
            "the file is the index of a model in several files (Hugging Face), not the model: give it together with the \
             .safetensors files that it names"
                .into(),
        );
    }
    if text.starts_with(b"<") {
        return Some(
            "the model is a web page or XML, not a checkpoint: the server probably answered with an error page".into(),
        );
    }
    let known: &[(usize, &[u8], &str)] = &[
        (0, b"\x89HDF\r\n\x1a\n", "an HDF5 file (Keras or TensorFlow)"),
        (4, b"TFL3", "a TensorFlow Lite model"),
        (0, b"GGUF", "a GGUF file"),
        (0, b"\x93NUMPY", "a NumPy array"),
        (0, b"\x1f\x8b", "a gzip archive"),
        (0, b"BZh", "a bzip2 archive"),
        (0, b"\xfd7zXZ", "an xz archive"),
        (0, b"\x28\xb5\x2f\xfd", "a zstd archive"),
        (0, b"7z\xbc\xaf", "a 7z archive"),
        (0, b"Rar!", "a RAR archive"),
        (257, b"ustar", "a tar archive"),
        (0, b"PK\x05\x06", "a zip archive without files"),
        (0, b"\xff\xd8\xff", "a JPEG picture"),
        (0, b"\x89PNG", "a PNG picture"),
        (0, b"GIF8", "a GIF picture"),
        (0, b"RIFF", "a WebP picture or another RIFF file"),
        (0, b"%PDF", "a PDF"),
        (0, b"\0asm", "a WebAssembly module"),
    ];
    let is = |&&(at, magic, _): &&(usize, &[u8], &str)| {
        bytes.get(at..).is_some_and(|rest| rest.starts_with(magic))
    };
    let what = match known.iter().find(is) {
        Some((_, _, what)) => what,
        None if is_protobuf(bytes) => "an ONNX model or another protocol buffer",
        None if text.starts_with(b"{") || text.starts_with(b"[") => "JSON",
        None if is_text(text) => "plain text",
        None => return None,
    };
    let advice = match what.ends_with("archive") {
        true => "unpack it, and load the model in it",
        false => "expected a .safetensors file or a PyTorch checkpoint (.pth)",
    };
    Some(format!("the file is {what}, not a model: {advice}"))
}

/// Whether the first bytes are characters of UTF-8, the last of which may be cut off.
fn is_text(bytes: &[u8]) -> bool {
    let head = &bytes[..bytes.len().min(256)];
    let valid = std::str::from_utf8(head).map_or_else(|error| error.valid_up_to(), str::len);
    let text = std::str::from_utf8(&head[..valid]).unwrap_or_default();
    valid >= 4 && valid + 4 > head.len() && text.chars().all(|c| !c.is_control() || c.is_whitespace())
}

/// The fields of a model with which ONNX begins: its version, then the name of what wrote it or the next field.
fn is_protobuf(bytes: &[u8]) -> bool {
    matches!(bytes, [0x08, 0x01..=0x20, 0x12 | 0x1a | 0x22 | 0x2a | 0x32 | 0x3a | 0x42, ..])
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.get(..text.len().min(4096)).is_some_and(|head| head.windows(part.len()).any(|window| window == part))
}
