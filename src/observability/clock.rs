//! Times as text.

use std::time::{SystemTime, UNIX_EPOCH};

use humantime::{format_rfc3339_millis, format_rfc3339_seconds};

/// The time by RFC 3339 in UTC, in whole seconds. A clock that was never set may be before 1970, which
/// is written as its beginning.
pub(crate) fn rfc3339(time: SystemTime) -> String {
    format_rfc3339_seconds(time.max(UNIX_EPOCH)).to_string()
}

/// The same in milliseconds, by the basic format of ISO 8601, which is a file name:
/// `20261130T012600.123Z`.
pub(crate) fn file_name(time: SystemTime) -> String {
    format_rfc3339_millis(time.max(UNIX_EPOCH)).to_string().replace(['-', ':'], "")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn times_are_written_by_rfc_3339() {
        // By `date -u --date=@SECONDS +%FT%TZ`.
        for (seconds, expected) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_827_696, "2000-02-29T12:34:56Z"),
            (1_735_689_599, "2024-12-31T23:59:59Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(rfc3339(UNIX_EPOCH + Duration::from_secs(seconds)), expected);
        }
        assert_eq!(rfc3339(UNIX_EPOCH - Duration::from_secs(5)), "1970-01-01T00:00:00Z");
        let time = UNIX_EPOCH + Duration::from_millis(951_827_696_045);
        assert_eq!(file_name(time), "20000229T123456.045Z");
    }
}
