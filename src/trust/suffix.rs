//! Names below which strangers own sub-domains.
//!
//! The full Public Suffix List costs 785 KB of binary, far more than it is worth here: a wildcard is a convenience, and
//! whoever is refused one can list the hosts one by one. So the rule is narrower than the list: at least two labels, no
//! registry such as `co.uk`, and none of the well-known places where anybody may rent a name.

/// Second labels below which a two-letter country code sells names.
const REGISTRY_LABELS: &[&str] = &[
    "ac", "co", "com", "edu", "go", "gob", "gouv", "gov", "id", "ltd", "me", "mil", "ne", "net", "nom", "or", "org", "plc", "sch",
];

/// Where a name directly below belongs to whoever asked for it first.
const SHARED: &[&str] = &[
    "app.github.dev",
    "appspot.com",
    "azure-api.net",
    "azureedge.net",
    "azurestaticapps.net",
    "azurewebsites.net",
    "backblazeb2.com",
    "bitbucket.io",
    "blogspot.com",
    "cloudapp.net",
    "cloudfront.net",
    "codeberg.page",
    "deno.dev",
    "digitaloceanspaces.com",
    "duckdns.org",
    "edgecompute.app",
    "firebaseapp.com",
    "firebaseio.com",
    "fly.dev",
    "github.dev",
    "github.io",
    "githubusercontent.com",
    "gitlab.io",
    "gitpod.io",
    "glitch.me",
    "herokuapp.com",
    "hf.space",
    "linodeobjects.com",
    "loca.lt",
    "myshopify.com",
    "netlify.app",
    "ngrok-free.app",
    "ngrok-free.dev",
    "ngrok.app",
    "ngrok.dev",
    "ngrok.io",
    "nip.io",
    "ondigitalocean.app",
    "onrender.com",
    "pages.dev",
    "r2.dev",
    "readthedocs.io",
    "repl.co",
    "replit.app",
    "replit.dev",
    "run.app",
    "serveo.net",
    "sslip.io",
    "streamlit.app",
    "supabase.co",
    "surge.sh",
    "trafficmanager.net",
    "trycloudflare.com",
    "up.railway.app",
    "vercel.app",
    "web.app",
    "wordpress.com",
    "workers.dev",
];

/// Where every depth is shared: regions and services stand between the provider's name and the customer's.
const SHARED_AT_EVERY_DEPTH: &[&str] = &["amazonaws.com", "amazonaws.com.cn", "cloudapp.azure.com", "core.windows.net", "on.aws"];

/// Whether sub-domains of `name` (lower case) belong to different owners, so that a wildcard over them is refused.
pub(super) fn is_shared(name: &str) -> bool {
    if name == "localhost" {
        return false;
    }
    let below = |parent: &&str| name == *parent || name.strip_suffix(*parent).is_some_and(|rest| rest.ends_with('.'));
    let Some((first, rest)) = name.split_once('.') else { return true };
    let registry = rest.len() == 2 && REGISTRY_LABELS.contains(&first);
    registry || SHARED.contains(&name) || SHARED_AT_EVERY_DEPTH.iter().any(below)
}

#[cfg(test)]
mod tests {
    use super::is_shared;

    #[test]
    fn shared_names_are_told_from_owned_ones() {
        let table = [
            ("com", true),
            ("test", true),
            ("co.uk", true),
            ("com.au", true),
            ("or.jp", true),
            ("github.io", true),
            ("amazonaws.com", true),
            ("s3.eu-central-1.amazonaws.com", true),
            ("blob.core.windows.net", true),
            ("localhost", false),
            ("box.com", false),
            ("boxcloud.com", false),
            ("example.co.uk", false),
            ("me.github.io", false),
            ("notamazonaws.com", false),
            ("api.corp.example", false),
        ];
        for (name, shared) in table {
            assert_eq!(is_shared(name), shared, "{name}");
        }
    }
}
