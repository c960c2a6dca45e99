//! Bodies that are small on the wire and huge when decoded.

use std::io::Write;

use flate2::{Compress, Compression, FlushCompress};

/// What one piece of a bomb decodes to, in bytes.
const PIECE: usize = 1 << 20;

/// Zeros as gzip, one member after the other.
pub(crate) fn gzip(size: usize) -> Vec<u8> {
    gzipped(&vec![0; PIECE]).repeat(size / PIECE)
}

fn gzipped(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).expect("memory");
    encoder.finish().expect("memory")
}

/// Zeros as a bare deflate stream: a piece that ends at a byte, repeated.
pub(crate) fn deflate(size: usize) -> Vec<u8> {
    let mut piece = Vec::with_capacity(PIECE);
    Compress::new(Compression::best(), false).compress_vec(&vec![0; PIECE], &mut piece, FlushCompress::Full).expect("memory");
    piece.repeat(size / PIECE)
}

/// Zeros as zstd, one frame after the other.
pub(crate) fn zstd(size: usize) -> Vec<u8> {
    ruzstd::encoding::compress_to_vec(&*vec![0; PIECE], ruzstd::encoding::CompressionLevel::Fastest).repeat(size / PIECE)
}

/// Gzip in gzip: both steps swell.
pub(crate) fn nested() -> Vec<u8> {
    gzipped(&gzip(1 << 30))
}

/// Gzip in gzip that swells only in the last step: `size` bytes on the wire, as many after the first step, more after the
/// second.
pub(crate) fn nested_stored(size: usize) -> Vec<u8> {
    stored(&[stored(&vec![b'x'; size]), gzip(16 << 20)].concat())
}

/// A gzip member that compresses nothing (RFC 1951 §3.2.4).
fn stored(bytes: &[u8]) -> Vec<u8> {
    let mut out = b"\x1f\x8b\x08\0\0\0\0\0\0\xff".to_vec();
    let mut parts = bytes.chunks(0xffff).peekable();
    while let Some(part) = parts.next() {
        let length = u16::try_from(part.len()).expect("a part of that size");
        out.push(u8::from(parts.peek().is_none()));
        out.extend(length.to_le_bytes());
        out.extend((!length).to_le_bytes());
        out.extend(part);
    }
    let mut crc = flate2::Crc::new();
    crc.update(bytes);
    out.extend(crc.sum().to_le_bytes());
    out.extend(crc.amount().to_le_bytes());
    out
}

/// Zeros as brotli (RFC 7932): each block of 16 MiB is one literal and one copy of it.
pub(crate) fn brotli(size: usize) -> Vec<u8> {
    const BLOCK: u32 = 1 << 24;
    let mut bits = Bits::default();
    // A window of 16 MiB (§9.1).
    bits.put(4, 0b1111);
    for _ in 0..size.div_ceil(BLOCK as usize) {
        // Not the last block; its length in 6 nibbles; compressed (§9.2).
        bits.put(1, 0);
        bits.put(2, 2);
        bits.put(24, BLOCK - 1);
        bits.put(1, 0);
        // One block type each for literals, commands and distances; no postfix bits, no direct codes; context mode 0; one tree.
        bits.put(3, 0);
        bits.put(6, 0);
        bits.put(2, 0);
        bits.put(2, 0);
        // Prefix codes of one symbol (§3.4): literal 0; insert 1 and copy 2118 and more; distance code 16.
        for (width, symbol) in [(8, 0), (10, 384 + 8 + 7), (6, 16)] {
            bits.put(2, 1);
            bits.put(2, 0);
            bits.put(width, symbol);
        }
        // How much is copied, and from how far: 1.
        bits.put(24, BLOCK - 1 - 2118);
        bits.put(1, 0);
    }
    // An empty last block.
    bits.put(2, 0b11);
    bits.bytes
}

/// Bits, the lowest first.
#[derive(Default)]
struct Bits {
    bytes: Vec<u8>,
    used: usize,
}

impl Bits {
    fn put(&mut self, width: usize, value: u32) {
        for bit in 0..width {
            if self.used.is_multiple_of(8) {
                self.bytes.push(0);
            }
            let last = self.bytes.last_mut().expect("a byte was pushed");
            *last |= u8::from(value >> bit & 1 == 1) << (self.used % 8);
            self.used += 1;
        }
    }
}
