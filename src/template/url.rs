//! How an expression becomes part of a URL: by where it stands in the template, never by what it holds.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::lex::Segment;

/// All but the unreserved characters of RFC 3986 §2.3.
pub const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Where an expression stands in a URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Spot {
    /// At the very start: kept as it is.
    Start,
    /// Between `://` and the next `/`, `?` or `#`.
    Authority,
    /// Behind that.
    Path,
    /// Behind a `?` or `#`.
    Query,
}

impl Spot {
    /// The number under which a filter is told.
    pub(super) fn number(self) -> u8 {
        match self {
            Self::Start => 0,
            Self::Authority => 1,
            Self::Path => 2,
            Self::Query => 3,
        }
    }

    /// The spot with this number.
    pub(super) fn from_number(number: u8) -> Self {
        match number {
            0 => Self::Start,
            1 => Self::Authority,
            2 => Self::Path,
            _ => Self::Query,
        }
    }

    /// `value` as it stands in the URL; `raw` under `| safe`.
    ///
    /// The error goes on behind the expression's name and never holds the value.
    pub(super) fn write(self, value: &str, raw: bool) -> Result<String, &'static str> {
        let stays = raw || matches!(self, Self::Start | Self::Authority);
        if stays && value.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return Err("holds a space or control character, which can't stand in a URL as it is");
        }
        match self {
            _ if raw => Ok(value.to_owned()),
            Self::Start => Ok(value.to_owned()),
            Self::Authority if is_authority(value) => Ok(value.to_owned()),
            Self::Authority => Err("must be a host or host:port, since it stands in the authority of a URL"),
            // Percent-encoding does not help here: `%2E%2E` climbs as well.
            Self::Path if matches!(value, "." | "..") => Err("is `.` or `..`, which would lead to another path"),
            Self::Path | Self::Query => Ok(utf8_percent_encode(value, RESERVED).to_string()),
        }
    }
}

/// The spot of each written expression.
pub(super) fn spots(text: &str, segments: &[Segment]) -> Vec<Spot> {
    let mut spots = Vec::new();
    // The text so far; `x` stands for what an expression will give.
    let mut seen = String::new();
    for segment in segments {
        match segment {
            Segment::Text(range) => seen.push_str(text.get(range.clone()).unwrap_or_default()),
            Segment::Output(code) => {
                spots.push(if code.whole.start == 0 { Spot::Start } else { spot(&seen) });
                seen.push('x');
            }
            Segment::Tag(_) | Segment::Inert => {}
        }
    }
    spots
}

fn spot(seen: &str) -> Spot {
    let ends = ['/', '?', '#', '\\'];
    if let Some((scheme, rest)) = seen.split_once("://")
        && !scheme.contains(ends)
        && !rest.contains(ends)
    {
        return Spot::Authority;
    }
    if seen.contains(['?', '#']) { Spot::Query } else { Spot::Path }
}

/// A host, or host:port; no user, no path.
fn is_authority(value: &str) -> bool {
    let (host, port) = match value.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, rest)) => {
            let address = address.parse::<std::net::Ipv6Addr>().is_ok();
            return address && (rest.is_empty() || rest.strip_prefix(':').is_some_and(is_port));
        }
        None => value.split_once(':').map_or((value, None), |(host, port)| (host, Some(port))),
    };
    !host.is_empty() && host.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '.' | '_')) && port.is_none_or(is_port)
}

fn is_port(port: &str) -> bool {
    port.bytes().all(|b| b.is_ascii_digit()) && port.parse::<u16>().is_ok()
}
