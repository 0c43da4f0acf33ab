//! Parsers and types of flag values.

use std::{
    fmt,
    net::SocketAddr,
    num::{NonZeroU32, NonZeroU64, NonZeroUsize},
    str::FromStr,
};

use clap::ValueEnum;

/// Parses a whole number above 0 of the size of a `usize`.
pub(super) fn count(text: &str) -> Result<NonZeroUsize, String> {
    above_zero(text)
}

/// Parses a whole number above 0 of 64 bits.
pub(super) fn number(text: &str) -> Result<NonZeroU64, String> {
    above_zero(text)
}

/// Parses a whole number above 0 of 32 bits.
pub(super) fn often(text: &str) -> Result<NonZeroU32, String> {
    above_zero(text)
}

fn above_zero<T: FromStr>(number: &str) -> Result<T, String> {
    number.parse().map_err(|_| "expected a whole number above 0, without a unit".to_owned())
}

/// Parses a whole number of 64 bits.
pub(super) fn whole(number: &str) -> Result<u64, String> {
    number.parse().map_err(|_| "expected a whole number, without a unit".to_owned())
}

/// Parses a number from 0 to 1.
pub(super) fn share(text: &str) -> Result<f64, String> {
    let share = text.parse().ok().filter(|share| (0.0..=1.0).contains(share));
    share.ok_or_else(|| "expected a number from 0 to 1, like 0.5".to_owned())
}

/// A truth value, in the spellings of command lines, service files, Python and browsers' forms.
pub(crate) fn boolean(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Some(true),
        "false" | "0" | "no" | "off" => Some(false),
        _ => None,
    }
}

/// Parses a truth value of a flag.
pub(super) fn truth(text: &str) -> Result<bool, String> {
    boolean(text).ok_or_else(|| "expected true or false, or yes, no, on, off, 1 or 0".to_owned())
}

/// Parses an IP address with a port.
pub(super) fn address(address: &str) -> Result<SocketAddr, String> {
    address.parse().map_err(|_| {
        "expected an IP address and a port, like 127.0.0.1:8080, or 0.0.0.0:8080 for all addresses \
         of this machine"
            .to_owned()
    })
}

/// The device to compute on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Device {
    /// The first CUDA device if it can be used, and the CPU otherwise.
    Auto,
    /// The CPU.
    Cpu,
    /// The CUDA device with this number.
    Cuda(u32),
}

impl FromStr for Device {
    type Err = String;

    fn from_str(device: &str) -> Result<Self, Self::Err> {
        match device {
            "auto" => Ok(Self::Auto),
            "cpu" => Ok(Self::Cpu),
            "cuda" => Ok(Self::Cuda(0)),
            other => other
                .strip_prefix("cuda:")
                .and_then(|number| number.parse().ok())
                .map(Self::Cuda)
                .ok_or_else(|| "expected auto, cpu, cuda or cuda:N".to_owned()),
        }
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Cpu => f.write_str("cpu"),
            Self::Cuda(number) => write!(f, "cuda:{number}"),
        }
    }
}

/// Where gRPC listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GrpcAddress {
    /// gRPC is not served.
    Off,
    /// At this address.
    At(SocketAddr),
}

impl FromStr for GrpcAddress {
    type Err = String;

    fn from_str(address: &str) -> Result<Self, Self::Err> {
        if boolean(address) == Some(false) {
            return Ok(Self::Off);
        }
        address.parse().map(Self::At).map_err(|_| {
            "expected an IP address and a port, like 127.0.0.1:9000, or off".to_owned()
        })
    }
}

/// Pages that may call the server from a browser.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CorsOrigin {
    /// All pages.
    Any,
    /// Those of this origin: scheme, host and port.
    Only(String),
}

impl FromStr for CorsOrigin {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        if text == "*" {
            return Ok(Self::Any);
        }
        let is_plain = |byte: u8| byte.is_ascii_graphic() && !b"/?#@*\\,".contains(&byte);
        let host = text.split_once("://").filter(|(scheme, _)| !scheme.is_empty());
        match host {
            Some((_, host)) if !host.is_empty() && host.bytes().all(is_plain) => {
                Ok(Self::Only(text.to_owned()))
            }
            _ => Err("expected * or an origin, without a path, like https://example.com or \
                      http://localhost:3000"
                .to_owned()),
        }
    }
}

/// The largest batch given to a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MaxBatch {
    /// Measured for each model when it is loaded.
    Auto,
    /// This many inputs.
    Fixed(NonZeroUsize),
}

impl MaxBatch {
    const MOST: usize = 4096;
}

impl FromStr for MaxBatch {
    type Err = String;

    fn from_str(batch: &str) -> Result<Self, Self::Err> {
        if batch == "auto" {
            return Ok(Self::Auto);
        }
        let number = batch.parse().ok().filter(|number: &NonZeroUsize| number.get() <= Self::MOST);
        number
            .map(Self::Fixed)
            .ok_or_else(|| format!("expected auto or a whole number from 1 to {}", Self::MOST))
    }
}

/// Whether something is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Switch {
    /// It is.
    On,
    /// It is not.
    Off,
}

impl FromStr for Switch {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match boolean(text) {
            Some(true) => Ok(Self::On),
            Some(false) => Ok(Self::Off),
            None => Err("expected on or off".to_owned()),
        }
    }
}

/// When models are loaded and unloaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ModelControl {
    /// At start only; every model must load.
    Fixed,
    /// The folder is scanned regularly.
    Poll,
    /// Models are loaded and unloaded on request.
    Explicit,
}

/// Which versions of a model are served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VersionPolicy {
    /// The highest version.
    Latest,
    /// All versions.
    All,
    /// The versions with these numbers.
    Specific(Vec<u64>),
}

impl FromStr for VersionPolicy {
    type Err = String;

    fn from_str(policy: &str) -> Result<Self, Self::Err> {
        match policy {
            "latest" => Ok(Self::Latest),
            "all" => Ok(Self::All),
            other => other
                .strip_prefix("specific:")
                .and_then(|numbers| numbers.split(',').map(|n| n.parse().ok()).collect())
                .map(Self::Specific)
                .ok_or_else(|| "expected latest, all, or specific:N[,N...]".to_owned()),
        }
    }
}

impl fmt::Display for VersionPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Latest => f.write_str("latest"),
            Self::All => f.write_str("all"),
            Self::Specific(numbers) => {
                let numbers: Vec<String> = numbers.iter().map(u64::to_string).collect();
                write!(f, "specific:{}", numbers.join(","))
            }
        }
    }
}

/// Format of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// Lines of text for people.
    Text,
    /// One JSON object per line.
    Json,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_and_a_policy_are_parsed_or_refused() {
        assert_eq!("auto".parse(), Ok(MaxBatch::Auto));
        assert!(matches!("16".parse(), Ok(MaxBatch::Fixed(n)) if n.get() == 16));
        assert!(["0", "4097", "-1", "many"].iter().all(|b| b.parse::<MaxBatch>().is_err()));
        assert_eq!("specific:2,7".parse(), Ok(VersionPolicy::Specific(vec![2, 7])));
        for wrong in ["specific:", "specific:a", "specific:1,", "first"] {
            assert!(wrong.parse::<VersionPolicy>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_wrong_number_or_address_is_refused_with_what_is_expected() {
        assert_eq!(count("7").map(NonZeroUsize::get), Ok(7));
        for wrong in ["0", "-1", "256M", "many", ""] {
            assert!(number(wrong).is_err_and(|e| e.contains("above 0")), "{wrong}");
        }
        assert_eq!(whole("0"), Ok(0));
        assert_eq!((share("0"), share("0.25"), share("1")), (Ok(0.0), Ok(0.25), Ok(1.0)));
        for wrong in ["-0.1", "1.1", "NaN", "5 %", ""] {
            assert!(share(wrong).is_err_and(|e| e.contains("from 0 to 1")), "{wrong}");
        }
        assert!(address("localhost:8080").is_err_and(|e| e.contains("0.0.0.0:8080")));
    }

    #[test]
    fn a_truth_value_has_the_usual_spellings() {
        for text in ["true", "True", "TRUE", "1", "yes", "on"] {
            assert_eq!((truth(text), text.parse()), (Ok(true), Ok(Switch::On)), "{text}");
        }
        for text in ["false", "False", "0", "no", "NO", "off"] {
            assert_eq!((truth(text), text.parse()), (Ok(false), Ok(Switch::Off)), "{text}");
            assert_eq!(text.parse(), Ok(GrpcAddress::Off), "{text}");
        }
        for wrong in ["", "2", "maybe"] {
            assert!(truth(wrong).is_err_and(|e| e.contains("true or false")), "{wrong}");
            assert_eq!(wrong.parse::<Switch>(), Err("expected on or off".to_owned()));
        }
    }

    #[test]
    fn an_origin_has_a_scheme_and_a_host_and_no_path() {
        assert_eq!("*".parse(), Ok(CorsOrigin::Any));
        for right in ["https://example.com", "http://localhost:3000", "http://[::1]:80"] {
            assert_eq!(right.parse(), Ok(CorsOrigin::Only(right.to_owned())));
        }
        for wrong in
            ["", "example.com", "https://", "https://example.com/", "://a", "https://*.example.com"]
        {
            let refused = wrong.parse::<CorsOrigin>();
            assert!(refused.is_err_and(|e| e.contains("without a path")), "{wrong}");
        }
    }

    #[test]
    fn a_device_is_parsed_from_what_it_is_displayed_as() {
        for text in ["auto", "cpu", "cuda:3"] {
            assert_eq!(text.parse::<Device>().map(|d| d.to_string()), Ok(text.to_owned()));
        }
        assert!("gpu".parse::<Device>().is_err());
        assert!("cuda:x".parse::<Device>().is_err());
    }
}
