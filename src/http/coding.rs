//! Content codings (RFC 9110 §8.4.1): gzip, deflate, brotli and zstd, with a bound on what comes out.
//!
//! They are decoded here and not by the HTTP library, because the library takes `Content-Encoding` and `Content-Length` out of
//! the headers and hides how many bytes came over the wire; people assert on all three.

use std::io::{self, Read};

use super::limits::MAX_CODINGS;

/// What is sent in `Accept-Encoding` unless the request says otherwise.
pub(super) const ACCEPTED: &str = "gzip, br, zstd, deflate";

/// The largest window that a zstd frame may ask for over HTTP (RFC 9659 §3).
const ZSTD_WINDOW: u64 = 8 << 20;

/// One coding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Coding {
    Gzip,
    Deflate,
    Brotli,
    Zstd,
}

impl Coding {
    fn named(name: &str) -> Option<Self> {
        match name.to_ascii_lowercase().as_str() {
            "gzip" | "x-gzip" => Some(Self::Gzip),
            "deflate" => Some(Self::Deflate),
            "br" => Some(Self::Brotli),
            "zstd" => Some(Self::Zstd),
            _ => None,
        }
    }

    /// The name of the coding as it stands in a header.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Deflate => "deflate",
            Self::Brotli => "br",
            Self::Zstd => "zstd",
        }
    }
}

/// Why a body could not be decoded.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum CodingError {
    /// More comes out than is allowed.
    TooLarge,
    /// The bytes are not what the header says.
    Broken(Coding),
    /// More codings on top of each other than any honest server uses.
    TooMany(usize),
}

/// The codings that `Content-Encoding` names, in the order in which they were applied. `None`: one of them is unknown, and
/// the body is shown as it came.
pub(super) fn codings<'a>(lines: impl Iterator<Item = &'a str>) -> Option<Vec<Coding>> {
    let names = lines.flat_map(|line| line.split(',')).map(str::trim);
    names.filter(|name| !name.is_empty() && !name.eq_ignore_ascii_case("identity")).map(Coding::named).collect()
}

/// Undoes `codings`, last applied first. No step may give more than `limit` bytes; what a step has used up is freed before the
/// next one, so that no more than two texts of that length are in memory.
pub(super) fn decode(codings: &[Coding], mut body: Vec<u8>, limit: usize) -> Result<Vec<u8>, CodingError> {
    if codings.len() > MAX_CODINGS {
        return Err(CodingError::TooMany(codings.len()));
    }
    for coding in codings.iter().rev() {
        body = decode_one(*coding, &body, limit)?;
    }
    Ok(body)
}

fn decode_one(coding: Coding, input: &[u8], limit: usize) -> Result<Vec<u8>, CodingError> {
    let mut output = Vec::new();
    let done = match coding {
        Coding::Gzip => take(flate2::bufread::MultiGzDecoder::new(input), &mut output, limit),
        // The coding is the zlib format; a good part of the servers sends the bare stream.
        Coding::Deflate if is_zlib(input) => take(flate2::bufread::ZlibDecoder::new(input), &mut output, limit),
        Coding::Deflate => take(flate2::bufread::DeflateDecoder::new(input), &mut output, limit),
        Coding::Brotli => take(brotli_decompressor::Decompressor::new(input, 4096), &mut output, limit),
        Coding::Zstd => zstd(input, &mut output, limit),
    };
    match done {
        Err(_) => Err(CodingError::Broken(coding)),
        Ok(()) if output.len() > limit => Err(CodingError::TooLarge),
        Ok(()) => Ok(output),
    }
}

/// Reads at most one byte more than `limit`, counting what `output` already holds.
fn take(reader: impl Read, output: &mut Vec<u8>, limit: usize) -> io::Result<()> {
    let left = limit.saturating_add(1).saturating_sub(output.len());
    reader.take(left as u64).read_to_end(output).map(|_| ())
}

/// A zstd body may hold several frames, and frames that are to be skipped (RFC 8878 §3).
fn zstd(mut input: &[u8], output: &mut Vec<u8>, limit: usize) -> io::Result<()> {
    while !input.is_empty() && output.len() <= limit {
        if let Some(rest) = skippable(input) {
            input = rest;
            continue;
        }
        let mut decoder =
            ruzstd::decoding::StreamingDecoder::new_with_max_window_size(input, ZSTD_WINDOW).map_err(io::Error::other)?;
        take(&mut decoder, output, limit)?;
        input = decoder.into_inner();
    }
    Ok(())
}

/// What follows a skippable frame: four bytes 0x184D2A50 to 0x184D2A5F, four of length, the content.
fn skippable(input: &[u8]) -> Option<&[u8]> {
    let (magic, rest) = input.split_first_chunk::<4>()?;
    let (len, rest) = rest.split_first_chunk::<4>()?;
    let is_skippable = u32::from_le_bytes(*magic) & 0xffff_fff0 == 0x184d_2a50;
    is_skippable.then(|| rest.get(usize::try_from(u32::from_le_bytes(*len)).ok()?..))?
}

/// Whether a zlib header stands at the start: method 8, and both bytes together a multiple of 31 (RFC 1950 §2.2).
fn is_zlib(input: &[u8]) -> bool {
    matches!(input, [cmf, flg, ..] if cmf & 0x0f == 8 && (u16::from(*cmf) << 8 | u16::from(*flg)) % 31 == 0)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::Write;

    pub(crate) fn gzip(data: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(data).unwrap();
        encoder.finish().unwrap()
    }

    fn zlib(data: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(data).unwrap();
        encoder.finish().unwrap()
    }

    fn bare(data: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(data).unwrap();
        encoder.finish().unwrap()
    }

    pub(crate) fn zstd(data: &[u8]) -> Vec<u8> {
        ruzstd::encoding::compress_to_vec(data, ruzstd::encoding::CompressionLevel::Fastest)
    }

    /// `hello` as a stored brotli block: window bits, length 5, uncompressed, then the empty last block.
    pub(crate) const BROTLI_HELLO: &[u8] = b"\x0b\x02\x80hello\x03";

    #[test]
    fn bodies_are_decoded() {
        let twice = gzip(&zstd(b"hello"));
        let frames = [zstd(b"hel"), b"\x50\x2a\x4d\x18\x02\0\0\0xy".to_vec(), zstd(b"lo")].concat();
        let members = [gzip(b"hel"), gzip(b"lo")].concat();
        let table: [(&str, &[Coding], &[u8]); 9] = [
            ("nothing", &[], b"hello"),
            ("gzip", &[Coding::Gzip], &gzip(b"hello")),
            ("gzip in members", &[Coding::Gzip], &members),
            ("zlib", &[Coding::Deflate], &zlib(b"hello")),
            ("bare deflate", &[Coding::Deflate], &bare(b"hello")),
            ("brotli", &[Coding::Brotli], BROTLI_HELLO),
            ("zstd", &[Coding::Zstd], &zstd(b"hello")),
            ("zstd in frames", &[Coding::Zstd], &frames),
            ("zstd in gzip", &[Coding::Zstd, Coding::Gzip], &twice),
        ];
        for (what, codings, body) in table {
            assert_eq!(decode(codings, body.to_vec(), 100).as_deref(), Ok(b"hello".as_slice()), "{what}");
        }
    }

    #[test]
    fn a_bomb_stops_at_the_limit() {
        let zeros = vec![0; 1 << 20];
        let table = [(Coding::Gzip, gzip(&zeros)), (Coding::Deflate, zlib(&zeros)), (Coding::Zstd, zstd(&zeros))];
        for (coding, body) in table {
            assert_eq!(decode(&[coding], body.clone(), 1 << 20).map(|out| out.len()), Ok(1 << 20), "{}", coding.as_str());
            assert_eq!(decode(&[coding], body, (1 << 20) - 1), Err(CodingError::TooLarge), "{}", coding.as_str());
        }
        let nested = gzip(&gzip(&zeros));
        assert_eq!(decode(&[Coding::Gzip, Coding::Gzip], nested.clone(), 1 << 10), Err(CodingError::TooLarge));
        assert_eq!(decode(&[Coding::Gzip; 3], nested, 1 << 10), Err(CodingError::TooMany(3)));
    }

    #[test]
    fn every_cut_is_noticed() {
        for (coding, body) in
            [(Coding::Gzip, gzip(b"hello")), (Coding::Brotli, BROTLI_HELLO.to_vec()), (Coding::Zstd, zstd(b"hello"))]
        {
            for end in 1..body.len() {
                assert_eq!(
                    decode(&[coding], body[..end].to_vec(), 100),
                    Err(CodingError::Broken(coding)),
                    "{} at {end}",
                    coding.as_str()
                );
            }
        }
    }

    #[test]
    fn names_are_read_from_all_lines() {
        let read = |lines: &[&str]| codings(lines.iter().copied());
        assert_eq!(read(&[]), Some(vec![]));
        assert_eq!(read(&["identity", ""]), Some(vec![]));
        assert_eq!(read(&["GZip, br", "zstd"]), Some(vec![Coding::Gzip, Coding::Brotli, Coding::Zstd]));
        assert_eq!(read(&["gzip, compress"]), None);
    }

    proptest! {
        #[test]
        fn garbage_never_panics(body in proptest::collection::vec(any::<u8>(), 0..200), prefix in 0..4usize) {
            let start: &[u8] = [&b""[..], b"\x1f\x8b\x08\0", b"\x28\xb5\x2f\xfd", b"\x78\x9c"][prefix];
            let body = [start, &body].concat();
            for coding in [Coding::Gzip, Coding::Deflate, Coding::Brotli, Coding::Zstd] {
                prop_assert!(!decode(&[coding], body.clone(), 1000).is_ok_and(|out| out.len() > 1000));
            }
        }
    }
}
