//! The kinds of values a setting can have, from and to text.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use livecheck_engine::{ExecutionProvider, Preset, RuntimeChoice};
use livecheck_store::{IMAGE_KEY_BYTES, ReplayPolicy};
use strum::{EnumString, IntoStaticStr};
use zeroize::Zeroize as _;

/// A type of setting.
pub(super) trait Value: Sized {
    /// From the text of an environment variable or a flag.
    fn parse(text: &str) -> Option<Self>;

    /// Back to text, for documents and the log; never a secret.
    fn show(&self) -> String;
}

/// Which values of a type are allowed.
pub(super) struct Allowed<T> {
    /// In words.
    pub(super) words: String,
    bounds: Option<(T, T)>,
}

impl<T: PartialOrd> Allowed<T> {
    pub(super) fn holds(&self, value: &T) -> bool {
        self.bounds
            .as_ref()
            .is_none_or(|(least, most)| least <= value && value <= most)
    }
}

/// Every value that can be parsed.
pub(super) fn any<T>(words: &str) -> Allowed<T> {
    Allowed {
        words: words.to_owned(),
        bounds: None,
    }
}

/// Both ends included.
pub(super) fn range<T: Value>(least: T, most: T) -> Allowed<T> {
    Allowed {
        words: format!("{} to {}", least.show(), most.show()),
        bounds: Some((least, most)),
    }
}

macro_rules! plain_values {
    ($($Type:ty),+) => {$(
        impl Value for $Type {
            fn parse(text: &str) -> Option<Self> {
                text.trim().replace('_', "").parse().ok()
            }

            fn show(&self) -> String {
                self.to_string()
            }
        }
    )+};
}

plain_values!(u32, u64, usize, f32, f64);

/// Types whose every value has a name; upper or lower case doesn't matter.
macro_rules! named_values {
    ($($Type:ty),+) => {$(
        impl Value for $Type {
            fn parse(text: &str) -> Option<Self> {
                text.trim().parse().ok()
            }

            fn show(&self) -> String {
                <&str>::from(self).to_owned()
            }
        }
    )+};
}

named_values!(Switch, ForwardedHeader, AuditFailure, Exposure, LogFormat);

impl Value for String {
    fn parse(text: &str) -> Option<Self> {
        Some(text.trim().to_owned()).filter(|text| !text.is_empty())
    }

    fn show(&self) -> String {
        self.clone()
    }
}

impl Value for SocketAddr {
    fn parse(text: &str) -> Option<Self> {
        text.trim().parse().ok()
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

impl Value for PathBuf {
    fn parse(text: &str) -> Option<Self> {
        Some(Self::from(text)).filter(|path| !path.as_os_str().is_empty())
    }

    fn show(&self) -> String {
        self.display().to_string()
    }
}

impl Value for Preset {
    fn parse(text: &str) -> Option<Self> {
        Self::from_name(&text.trim().to_ascii_lowercase())
    }

    fn show(&self) -> String {
        self.name().to_owned()
    }
}

impl<T: Value> Value for Option<T> {
    fn parse(text: &str) -> Option<Self> {
        if text.trim().is_empty() {
            return Some(None);
        }
        T::parse(text).map(Some)
    }

    fn show(&self) -> String {
        self.as_ref().map(Value::show).unwrap_or_default()
    }
}

impl Value for Duration {
    fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.');
        let (number, unit) = text.split_at(digits.unwrap_or(text.len()));
        let factor = match unit.trim() {
            "ms" => 1e-3,
            "" | "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            _ => return None,
        };
        Self::try_from_secs_f64(number.parse::<f64>().ok()? * factor).ok()
    }

    fn show(&self) -> String {
        let millis = self.as_millis();
        match (millis % 1000, millis / 1000) {
            (0, 0) => "0s".to_owned(),
            (0, seconds) if seconds % 3600 == 0 => format!("{}h", seconds / 3600),
            (0, seconds) => format!("{seconds}s"),
            _ => format!("{millis}ms"),
        }
    }
}

/// Text that must not be shown, such as a database address with its password. Overwritten when it is
/// dropped.
#[derive(Clone, PartialEq, Eq, PartialOrd)]
pub struct Secret(String);

impl Secret {
    /// The text itself.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Whether it is an address in which a password may stand.
    #[must_use]
    pub fn holds_password(&self) -> bool {
        self.0.contains("://") && (self.0.contains('@') || self.0.contains("password"))
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.show())
    }
}

impl Value for Secret {
    fn parse(text: &str) -> Option<Self> {
        String::parse(text).map(Self)
    }

    /// A path, or of an address the scheme and the host.
    fn show(&self) -> String {
        match self.0.split_once("://") {
            None | Some(("sqlite", _)) => self.0.clone(),
            Some((scheme, rest)) => match host(rest) {
                Some(host) => format!("{scheme}://{host}"),
                None => format!("{scheme}://[redacted]"),
            },
        }
    }
}

/// Host and port of what follows the scheme; `None` where it is in doubt which part is the host.
fn host(rest: &str) -> Option<&str> {
    let authority_ends = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, further) = rest.split_at(authority_ends);
    let host = authority
        .rsplit_once('@')
        .map_or(authority, |(_, host)| host);
    let (name, port) = host.rsplit_once(':').unwrap_or((host, "0"));
    let plain = |c: char| c.is_ascii_alphanumeric() || ".-_".contains(c);
    let certain = !name.is_empty()
        && name.chars().all(plain)
        && port.bytes().all(|byte| byte.is_ascii_digit())
        // A password with one of the characters that end an authority.
        && !further.contains('@');
    certain.then_some(host)
}

/// A secret that opens an API; never shown.
#[derive(Clone, PartialEq, Eq, PartialOrd)]
pub struct Token(String);

impl Token {
    const LENGTHS: std::ops::RangeInclusive<usize> = 32..=256;

    /// The text itself.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl Drop for Token {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

impl Value for Token {
    fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let fits =
            Self::LENGTHS.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        fits.then(|| Self(text.to_owned()))
    }

    fn show(&self) -> String {
        "[redacted]".to_owned()
    }
}

/// Web origins that may call the API from a browser.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd)]
pub struct Origins(Vec<String>);

impl Origins {
    /// Whether pages of `origin` may call the API.
    #[must_use]
    pub fn allow(&self, origin: &str) -> bool {
        self.0.iter().any(|own| own == "*" || own == origin)
    }

    /// Whether none may.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Value for Origins {
    fn parse(text: &str) -> Option<Self> {
        let origins: Vec<String> = text
            .split(',')
            .map(|origin| origin.trim().trim_end_matches('/').to_owned())
            .filter(|origin| !origin.is_empty())
            .collect();
        let is_origin = |origin: &String| {
            origin == "*"
                || ["http://", "https://"].iter().any(|scheme| {
                    origin.strip_prefix(scheme).is_some_and(|host| {
                        !host.is_empty() && !host.contains(['/', ' ', '?', '#'])
                    })
                })
        };
        origins.iter().all(is_origin).then_some(Self(origins))
    }

    fn show(&self) -> String {
        self.0.join(",")
    }
}

/// Networks, such as those of trusted proxies.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd)]
pub struct Networks(Vec<IpNet>);

impl Networks {
    /// Whether one of them holds the address.
    #[must_use]
    pub fn contain(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(&address))
    }
}

impl Value for Networks {
    fn parse(text: &str) -> Option<Self> {
        text.split(',')
            .map(str::trim)
            .filter(|network| !network.is_empty())
            .map(|network| {
                network
                    .parse()
                    .ok()
                    .or_else(|| network.parse::<IpAddr>().ok().map(IpNet::from))
            })
            .collect::<Option<Vec<IpNet>>>()
            .map(Self)
    }

    fn show(&self) -> String {
        self.0
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join(",")
    }
}

/// A secret of 32 bytes; never shown.
#[derive(Clone, PartialEq, Eq, PartialOrd)]
pub struct HexKey([u8; IMAGE_KEY_BYTES]);

impl HexKey {
    /// From 64 hexadecimal digits.
    #[must_use]
    pub fn from_hex(text: &str) -> Option<Self> {
        let mut key = [0; IMAGE_KEY_BYTES];
        hex::decode_to_slice(text, &mut key).ok()?;
        Some(Self(key))
    }

    /// The bytes.
    #[must_use]
    pub fn reveal(&self) -> &[u8; IMAGE_KEY_BYTES] {
        &self.0
    }
}

impl Drop for HexKey {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for HexKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

impl Value for HexKey {
    fn parse(text: &str) -> Option<Self> {
        Self::from_hex(text.trim())
    }

    fn show(&self) -> String {
        "[redacted]".to_owned()
    }
}

/// The SHA-256 of a file, as 64 lower-case hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd)]
pub struct Sha256Hex(String);

impl Value for Sha256Hex {
    fn parse(text: &str) -> Option<Self> {
        let text = text.trim().to_ascii_lowercase();
        let whole = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        whole.then_some(Self(text))
    }

    fn show(&self) -> String {
        self.0.clone()
    }
}

impl Value for ReplayPolicy {
    fn parse(text: &str) -> Option<Self> {
        Self::named(&text.trim().to_ascii_lowercase())
    }

    fn show(&self) -> String {
        self.as_str().to_owned()
    }
}

/// A number from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Share(f32);

impl Share {
    /// The number; `None` outside 0 to 1.
    #[must_use]
    pub fn new(value: f32) -> Option<Self> {
        (0.0..=1.0).contains(&value).then_some(Self(value))
    }

    /// The number.
    #[must_use]
    pub fn value(self) -> f32 {
        self.0
    }
}

impl Value for Share {
    fn parse(text: &str) -> Option<Self> {
        f32::parse(text).and_then(Self::new)
    }

    fn show(&self) -> String {
        self.0.show()
    }
}

/// Whether something is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, EnumString, IntoStaticStr)]
#[strum(serialize_all = "kebab-case", ascii_case_insensitive)]
pub enum Switch {
    /// It is.
    #[strum(to_string = "on", serialize = "true")]
    On,
    /// It is not.
    #[strum(to_string = "off", serialize = "false")]
    Off,
}

impl Switch {
    pub(super) fn allowed() -> Allowed<Self> {
        any("on or off")
    }
}

/// Which header names the client's address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, EnumString, IntoStaticStr)]
#[strum(serialize_all = "kebab-case", ascii_case_insensitive)]
pub enum ForwardedHeader {
    /// `X-Forwarded-For`.
    XForwardedFor,
    /// `Forwarded` (RFC 7239).
    Forwarded,
}

/// What happens to a request whose line of the audit log cannot be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, EnumString, IntoStaticStr)]
#[strum(serialize_all = "kebab-case", ascii_case_insensitive)]
pub enum AuditFailure {
    /// It is answered with `005`, as if nothing had been judged.
    Refuse,
    /// It is answered as if there were no log; a metric counts the missing line.
    Continue,
}

/// Where an endpoint is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, EnumString, IntoStaticStr)]
#[strum(serialize_all = "kebab-case", ascii_case_insensitive)]
pub enum Exposure {
    /// With the API.
    Public,
    /// On the admin listener; with the API when there is no admin listener.
    Admin,
    /// Nowhere.
    #[strum(to_string = "off", serialize = "false")]
    Off,
}

impl Exposure {
    pub(super) fn allowed() -> Allowed<Self> {
        any("public, admin or off")
    }
}

impl Value for RuntimeChoice {
    fn parse(text: &str) -> Option<Self> {
        let wanted = text.trim().to_ascii_lowercase();
        Self::ALL
            .into_iter()
            .find_map(|(choice, name)| (name == wanted).then_some(choice))
    }

    fn show(&self) -> String {
        Self::ALL
            .iter()
            .find_map(|(choice, name)| (choice == self).then(|| (*name).to_owned()))
            .unwrap_or_default()
    }
}

impl Value for ExecutionProvider {
    fn parse(text: &str) -> Option<Self> {
        let wanted = text.trim().to_ascii_lowercase();
        Self::ALL
            .into_iter()
            .find_map(|(provider, name)| (name == wanted).then_some(provider))
    }

    fn show(&self) -> String {
        Self::ALL
            .into_iter()
            .find_map(|(provider, name)| (provider == *self).then_some(name))
            .unwrap_or_default()
            .to_owned()
    }
}

/// How a log line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, EnumString, IntoStaticStr)]
#[strum(serialize_all = "kebab-case", ascii_case_insensitive)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

impl LogFormat {
    pub(super) fn allowed() -> Allowed<Self> {
        any("text or json")
    }
}

/// A TOML value as the text that a flag would have.
pub(super) fn from_toml(value: &toml::Value) -> String {
    match value {
        toml::Value::String(text) => text.clone(),
        toml::Value::Array(items) => items.iter().map(from_toml).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    }
}

/// The known name that differs least from a mistyped one, if it is near.
pub(super) fn nearest<'a>(mistyped: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    known
        .map(|name| (strsim::levenshtein(mistyped, name), name))
        .min()
        .filter(|(distance, name)| *distance <= name.len() / 3)
        .map(|(_, name)| name)
}
