//! Names that say by themselves that the value is a secret: members of token answers, captures, headers.

/// Whether a value of this name is a secret whatever the files say: the name ends in token, secret, password or key, or is
/// `code`. Upper and lower case, `_` and `-` make no difference (`apiKey`, `api_key`, `API-KEY`).
#[must_use]
pub fn is_secret_name(name: &str) -> bool {
    let plain: String = name.chars().filter(|c| !matches!(c, '_' | '-')).map(|c| c.to_ascii_lowercase()).collect();
    plain == "code" || ["token", "secret", "password", "key"].iter().any(|end| plain.ends_with(end))
}

/// Whether a header's value is masked because of its name: credentials, cookies, and every name that contains token, secret,
/// key or auth. The challenges `WWW-Authenticate` and `Proxy-Authenticate` are not: they say what a server wants, which is
/// what a person needs to see after a 401 (RFC 9110 §11.6.1).
#[must_use]
pub fn is_secret_header(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    if matches!(name.as_str(), "www-authenticate" | "proxy-authenticate") {
        return false;
    }
    matches!(name.as_str(), "authorization" | "proxy-authorization" | "cookie" | "set-cookie")
        || ["token", "secret", "key", "auth"].iter().any(|part| name.contains(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_are_secret_by_themselves() {
        for name in ["access_token", "id_token", "apiKey", "API-KEY", "client_secret", "Password", "code", "CODE", "x_pass_word"]
        {
            assert!(is_secret_name(name), "{name}");
        }
        for name in ["token_type", "scope", "expires_in", "postcode", "keys", "tokens", "secretary", "user", ""] {
            assert!(!is_secret_name(name), "{name}");
        }
    }

    #[test]
    fn headers_that_are_secret_by_their_name() {
        for name in ["Authorization", "proxy-authorization", "Cookie", "SET-COOKIE", "X-Api-Key", "X-Auth", "X-Vault-Token"] {
            assert!(is_secret_header(name), "{name}");
        }
        for name in ["Accept", "Content-Type", "ETag", "Location", "WWW-Authenticate", "Proxy-Authenticate", ""] {
            assert!(!is_secret_header(name), "{name}");
        }
    }
}
