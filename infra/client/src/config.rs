//! Which API is called, and with which key: options, then environment, then the profile of a file.

use std::collections::BTreeMap;
use std::fs::{self, Metadata};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use clap::Args;
use secrecy::SecretString;
use serde::Deserialize;
use url::{Host, Url};

use crate::failure::Failure;

/// The variable of the key. There is no option for it: other users of a machine can see command lines.
const KEY: &str = "REELHOOK_KEY";
/// The profile that is used if none is named.
const DEFAULT_PROFILE: &str = "default";
/// The file has at most this many bytes.
const MAX_FILE: u64 = 64 * 1024;

/// What the command line says about the API.
// --help shows no address of the environment: one may have a password, which is refused later.
#[derive(Clone, Debug, Default, Args)]
pub struct ApiOptions {
    /// Address of the API, such as `https://….execute-api.eu-central-1.amazonaws.com`. Its key is in `REELHOOK_KEY`
    #[arg(long, global = true, value_name = "URL", env = "REELHOOK_URL", hide_env_values = true)]
    url: Option<String>,
    /// Address of the streams, where it differs: the stack's output `StreamUrl`
    #[arg(long, global = true, value_name = "URL", env = "REELHOOK_STREAM_URL", hide_env_values = true)]
    stream_url: Option<String>,
    /// Profile of the configuration file
    #[arg(long, global = true, value_name = "NAME", env = "REELHOOK_PROFILE")]
    profile: Option<String>,
    /// The configuration file, by default ~/.config/reelhook/config.toml
    #[arg(long, global = true, value_name = "FILE", env = "REELHOOK_CONFIG")]
    config: Option<PathBuf>,
}

/// The API that is called.
#[derive(Debug)]
pub struct Connection {
    /// Its address.
    pub url: Url,
    /// The key.
    pub key: Option<SecretString>,
    /// Where streams are, if not at `url`.
    pub stream_url: Option<Url>,
}

/// The configuration file. It has no `Debug`, since it holds keys.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    /// The profile that is used if none is named.
    profile: Option<String>,
    #[serde(default)]
    profiles: BTreeMap<String, Profile>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Profile {
    url: String,
    key: Option<String>,
    stream_url: Option<String>,
    /// Whether the key may be sent over plain http to another machine.
    #[serde(default)]
    allow_http: bool,
}

/// The connection that options, environment and file name.
pub fn connection(options: &ApiOptions) -> Result<Connection, Failure> {
    let path = path(options)?;
    let file = match &path {
        Some(path) => read(path, options.config.is_some())?,
        None => File::default(),
    };
    let key = std::env::var(KEY).ok().filter(|key| !key.is_empty());
    resolve(options, key, &file, path.as_deref())
}

/// The path of the file; none if this user has no folder for it.
fn path(options: &ApiOptions) -> Result<Option<PathBuf>, Failure> {
    if let Some(path) = &options.config {
        return Ok(Some(path.clone()));
    }
    let named = std::env::var_os("XDG_CONFIG_HOME").map(PathBuf::from).filter(|folder| folder.is_absolute());
    let folder = named.or_else(|| Some(std::env::home_dir()?.join(".config")));
    Ok(folder.map(|folder| folder.join("reelhook/config.toml")))
}

/// Reads the file. It may be missing unless it was named.
fn read(path: &Path, named: bool) -> Result<File, Failure> {
    let failed = |reason: String| Failure::Usage(format!("{}: {reason}", path.display()));
    let opened = match fs::File::open(path) {
        Ok(opened) => opened,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && !named => return Ok(File::default()),
        Err(error) => return Err(failed(error.to_string())),
    };
    // The file that is read is the one whose mode is checked.
    let metadata = opened.metadata().map_err(|error| failed(error.to_string()))?;
    let mut text = String::new();
    // Devices and pipes say nothing about their length.
    opened.take(MAX_FILE + 1).read_to_string(&mut text).map_err(|error| failed(error.to_string()))?;
    if text.len() as u64 > MAX_FILE {
        return Err(failed("the file must not exceed 64 KiB".to_owned()));
    }
    let file: File = toml::from_str(&text).map_err(|error| failed(wrong(&text, &error)))?;
    let has_key = file.profiles.values().any(|profile| profile.key.is_some());
    match open_to_others(&metadata).filter(|_| has_key) {
        Some(mode) => {
            let command = format!("chmod 600 {}", path.display());
            Err(failed(format!("it holds a key, and other users may use it (mode {mode:o}): run `{command}`")))
        }
        None => Ok(file),
    }
}

/// What is wrong with a file. The library's sentences may quote it, and with it a key, so only unknown names are
/// repeated.
fn wrong(text: &str, error: &toml::de::Error) -> String {
    let start = error.span().map_or(0, |span| span.start);
    let line = text.bytes().take(start).filter(|byte| *byte == b'\n').count() + 1;
    let sentence = error.message().lines().next().unwrap_or_default();
    match sentence.starts_with("unknown field") {
        true => format!("line {line}: {sentence}"),
        false => format!("line {line} is not as expected: docs/client.md has an example"),
    }
}

/// The mode of a file that others than its owner may read or change.
#[cfg(unix)]
fn open_to_others(metadata: &Metadata) -> Option<u32> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = metadata.permissions().mode() & 0o777;
    (mode & 0o077 != 0).then_some(mode)
}

/// Other systems have no modes: there the folder of a user is closed to others.
#[cfg(not(unix))]
fn open_to_others(_: &Metadata) -> Option<u32> {
    None
}

/// A key belongs to the address beside it: that of a profile is never sent to an address from elsewhere.
fn resolve(options: &ApiOptions, key: Option<String>, file: &File, path: Option<&Path>) -> Result<Connection, Failure> {
    let profile = profile(options, file)?;
    // A variable that is empty counts as absent.
    let named = options.url.as_ref().filter(|url| !url.is_empty());
    let named_stream = options.stream_url.as_ref().filter(|url| !url.is_empty());
    let (url, profile) = match (named, profile) {
        (Some(url), Some(profile)) if *url == profile.url => (url, Some(profile)),
        (Some(url), _) => (url, None),
        (None, Some(profile)) => (&profile.url, Some(profile)),
        (None, None) => {
            let place = path.map_or_else(|| "a configuration file".to_owned(), |path| path.display().to_string());
            let sentence =
                format!("there is no address of the API: set REELHOOK_URL, or `url` of a profile in {place}");
            return Err(Failure::Usage(sentence));
        }
    };
    let url = address("url", url)?;
    let own_stream = profile.and_then(|profile| profile.stream_url.as_ref());
    let own_key = profile.and_then(|profile| profile.key.clone()).filter(|key| !key.is_empty());
    // The profile's key would go there, too, even if the address of the API is named and is the profile's own.
    let gets_own_key = key.is_none() && own_key.is_some();
    if (named.is_none() || gets_own_key) && named_stream.is_some_and(|url| Some(url) != own_stream) {
        let sentence = "REELHOOK_STREAM_URL belongs to REELHOOK_URL; for a profile, set its `stream_url`";
        return Err(Failure::Usage(sentence.to_owned()));
    }
    let stream_url = named_stream.or(own_stream);
    let stream_url = stream_url.map(|url| address("stream_url", url)).transpose()?;
    let key = key.or(own_key);
    let allow_http = profile.is_some_and(|profile| profile.allow_http);
    for url in [Some(&url), stream_url.as_ref()].into_iter().flatten() {
        if key.is_some() && url.scheme() == "http" && !is_this_machine(url) && !allow_http {
            let sentence = format!("{url} would get the key unencrypted: use https, or `allow_http` in the profile");
            return Err(Failure::Usage(sentence));
        }
    }
    Ok(Connection { url, key: key.map(SecretString::from), stream_url })
}

/// The profile that is named, else the default.
fn profile<'a>(options: &ApiOptions, file: &'a File) -> Result<Option<&'a Profile>, Failure> {
    let Some(name) = options.profile.as_ref().or(file.profile.as_ref()) else {
        return Ok(file.profiles.get(DEFAULT_PROFILE));
    };
    match file.profiles.get(name) {
        Some(profile) => Ok(Some(profile)),
        None => {
            let names = file.profiles.keys().map(String::as_str).collect::<Vec<_>>();
            let known = if names.is_empty() { "there are none".to_owned() } else { names.join(", ") };
            Err(Failure::Usage(format!("there is no profile `{name}`; the file has: {known}")))
        }
    }
}

/// Parses an address.
fn address(name: &str, text: &str) -> Result<Url, Failure> {
    let url = Url::parse(text).ok().filter(|url| {
        let is_plain = url.query().is_none() && url.fragment().is_none();
        matches!(url.scheme(), "http" | "https") && url.username().is_empty() && url.password().is_none() && is_plain
    });
    // The text is not repeated: it may have a password.
    url.ok_or_else(|| Failure::Usage(format!("`{name}` must be an http or https URL without user, password and query")))
}

/// Whether a URL leads to this machine.
pub fn is_this_machine(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    const FILE: &str = r#"
profile = "prod"
[profiles.prod]
url = "https://api.example"
key = "rk_prod"
stream_url = "https://stream.example/"
[profiles.local]
url = "http://127.0.0.1:3000"
key = "rk_local"
[profiles.plain]
url = "http://api.example"
key = "rk_plain"
"#;

    fn resolved(options: &ApiOptions, key: Option<&str>, file: &str) -> Result<(String, Option<String>), String> {
        let file: File = toml::from_str(file).unwrap();
        let connection = resolve(options, key.map(str::to_owned), &file, Some(Path::new("/c.toml")));
        let shown = |found: Connection| (found.url.to_string(), found.key.map(|key| key.expose_secret().to_owned()));
        connection.map(shown).map_err(|failure| failure.to_string())
    }

    fn with(url: Option<&str>, profile: Option<&str>) -> ApiOptions {
        ApiOptions { url: url.map(str::to_owned), profile: profile.map(str::to_owned), ..ApiOptions::default() }
    }

    fn found(url: &str, key: Option<&str>) -> Result<(String, Option<String>), String> {
        Ok((url.to_owned(), key.map(str::to_owned)))
    }

    #[test]
    fn options_precede_the_file() {
        assert_eq!(resolved(&with(None, None), None, FILE), found("https://api.example/", Some("rk_prod")));
        let local = with(None, Some("local"));
        assert_eq!(resolved(&local, None, FILE), found("http://127.0.0.1:3000/", Some("rk_local")));
        assert_eq!(resolved(&local, Some("rk_env"), FILE), found("http://127.0.0.1:3000/", Some("rk_env")));
        let default = "[profiles.default]\nurl = \"https://one.example\"";
        assert_eq!(resolved(&with(None, None), None, default), found("https://one.example/", None));
    }

    #[test]
    fn the_key_of_a_profile_goes_to_its_own_address_only() {
        let other = with(Some("https://other.example"), None);
        assert_eq!(resolved(&other, None, FILE), found("https://other.example/", None));
        assert_eq!(resolved(&other, Some("rk_env"), FILE), found("https://other.example/", Some("rk_env")));
        let stream = ApiOptions { stream_url: Some("https://other.example".to_owned()), ..ApiOptions::default() };
        assert!(resolved(&stream, None, FILE).unwrap_err().starts_with("REELHOOK_STREAM_URL belongs to"));
        let same = with(Some("https://api.example"), None);
        assert_eq!(resolved(&same, None, FILE), found("https://api.example/", Some("rk_prod")));
        // The address of the profile is named beside a stream from elsewhere.
        let url = Some("https://api.example".to_owned());
        let both = ApiOptions { url, ..stream };
        assert!(resolved(&both, None, FILE).unwrap_err().starts_with("REELHOOK_STREAM_URL belongs to"));
        assert_eq!(resolved(&both, Some("rk_env"), FILE), found("https://api.example/", Some("rk_env")));
    }

    #[test]
    fn a_key_is_not_sent_in_plain_text_to_another_machine() {
        let error = resolved(&with(None, Some("plain")), None, FILE).unwrap_err();
        assert!(error.contains("unencrypted") && !error.contains("rk_plain"), "{error}");
        let allowed = format!("{FILE}allow_http = true\n");
        assert!(resolved(&with(None, Some("plain")), None, &allowed).is_ok());
        assert!(resolved(&with(Some("http://api.example"), None), None, "").is_ok());
    }

    #[test]
    fn what_is_missing_or_wrong_is_named() {
        let error = |options: &ApiOptions, file| resolved(options, None, file).unwrap_err();
        assert!(error(&with(None, None), "").contains("set REELHOOK_URL, or `url` of a profile in /c.toml"));
        assert!(error(&with(None, Some("test")), FILE).ends_with("the file has: local, plain, prod"));
        for url in ["api.example", "ftp://api.example", "https://user:pw@api.example", "https://api.example/?a=b"] {
            let sentence = error(&with(Some(url), None), "");
            assert!(
                sentence.starts_with("`url` must be an http or https URL") && !sentence.contains("pw"),
                "{sentence}"
            );
        }
    }

    #[test]
    fn a_wrong_file_is_not_quoted() {
        for (text, expected) in [
            ("[profiles.a]\nurl = \"x\"\nkee = \"rk_secret\"", "line 3: unknown field `kee`"),
            ("[profiles.a]\nurl = \"x\"\nkey = rk_secret", "line 3 is not as expected"),
            ("[profiles]\na = \"rk_secret\"", "line 2 is not as expected"),
        ] {
            let error = toml::from_str::<File>(text).err().unwrap();
            let sentence = wrong(text, &error);
            assert!(sentence.starts_with(expected) && !sentence.contains("rk_secret"), "{sentence}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_file_with_a_key_must_be_closed_to_others() {
        use std::os::unix::fs::PermissionsExt as _;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("config.toml");
        for (text, mode, is_read) in
            [(FILE, 0o600, true), (FILE, 0o640, false), (FILE, 0o602, false), ("", 0o644, true)]
        {
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let found = read(&path, true).map(drop).map_err(|failure| failure.to_string());
            assert_eq!(found.is_ok(), is_read, "{found:?}");
            let named = found.err().is_none_or(|error| error.contains(&format!("(mode {mode:o}): run `chmod 600 ")));
            assert!(named);
        }
        fs::remove_file(&path).unwrap();
        assert!(read(&path, true).is_err() && read(&path, false).is_ok());
        fs::write(&path, "#".repeat(64 * 1024 + 1)).unwrap();
        let too_large = read(&path, true).err().map(|failure| failure.to_string());
        assert!(too_large.is_some_and(|error| error.ends_with("must not exceed 64 KiB")));
        let endless = read(Path::new("/dev/zero"), true).err().map(|failure| failure.to_string());
        assert!(endless.is_some_and(|error| error.ends_with("must not exceed 64 KiB")));
    }
}
