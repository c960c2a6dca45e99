//! The password in the userinfo of a URL.

use percent_encoding::percent_decode_str;

use crate::secret::Secret;

/// The password in `url`, as it is written and as it is meant; found also where the rest is no URL. None when there is none.
#[must_use]
pub fn passwords_of(url: &str) -> Vec<Secret> {
    let userinfo = url.split_once("://").map_or(url, |(_, rest)| rest).rsplit_once('@').map(|(userinfo, _)| userinfo);
    let Some((_, password)) = userinfo.and_then(|userinfo| userinfo.split_once(':')) else { return Vec::new() };
    let decoded = percent_decode_str(password).decode_utf8_lossy().into_owned();
    let mut found = vec![password.to_owned(), decoded];
    found.dedup();
    found.into_iter().filter(|text| !text.is_empty()).map(Secret::new).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_found_as_written_and_as_meant() {
        let table: [(&str, &[&str]); 6] = [
            ("http://me:p%40ss@a", &["p%40ss", "p@ss"]),
            ("me:a:b@c@a", &["a:b@c"]),
            ("socks5://me:pw@a:1080/x", &["pw"]),
            ("http://me@a", &[]),
            ("http://a:80", &[]),
            ("http://me:@a", &[]),
        ];
        for (url, expected) in table {
            let found: Vec<String> = passwords_of(url).iter().map(|secret| secret.expose().to_owned()).collect();
            assert_eq!(found, expected, "{url}");
        }
    }
}
