//! The two text formats that Prometheus reads.

/// A text format for metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// Prometheus text format 0.0.4, the default.
    Prometheus,
    /// OpenMetrics 1.0.0, for clients that accept it.
    OpenMetrics,
}

impl Format {
    /// The format for an `Accept` header.
    pub(crate) fn accepted(accept: &str) -> Self {
        if accept.contains("application/openmetrics-text") {
            Self::OpenMetrics
        } else {
            Self::Prometheus
        }
    }

    pub(crate) fn content_type(self) -> &'static str {
        match self {
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }

    /// Converts OpenMetrics text to this format.
    ///
    /// The Prometheus format differs in three ways: the name of a counter's family includes
    /// `_total`, and there are no units and no end mark.
    pub(super) fn of(self, open_metrics: String) -> String {
        match self {
            Self::OpenMetrics => open_metrics,
            Self::Prometheus => to_prometheus(&open_metrics),
        }
    }
}

fn to_prometheus(open_metrics: &str) -> String {
    let mut text = String::with_capacity(open_metrics.len() + 256);
    let mut help = None;
    for line in open_metrics.lines() {
        if line.starts_with("# HELP ") {
            help = Some(line);
            continue;
        }
        if line == "# EOF" || line.starts_with("# UNIT ") {
            continue;
        }
        let suffix =
            if line.starts_with("# TYPE ") && line.ends_with(" counter") { "_total" } else { "" };
        for header in help.take().into_iter().chain([line]) {
            push_line(&mut text, header, suffix);
        }
    }
    text
}

/// Writes a line; appends the suffix to the name in `# HELP name …` and `# TYPE name …`.
fn push_line(text: &mut String, line: &str, suffix: &str) {
    let mut words = line.splitn(4, ' ');
    match (words.next(), words.next(), words.next(), words.next()) {
        (Some("#"), Some(keyword), Some(name), Some(rest)) if !suffix.is_empty() => {
            text.extend(["# ", keyword, " ", name, suffix, " ", rest]);
        }
        _ => text.push_str(line),
    }
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_is_named_with_its_total_and_open_metrics_marks_are_left_out() {
        let open_metrics = "# HELP a_b Things.\n# TYPE a_b counter\na_b_total{x=\"1\"} 3\n\
            # HELP t_seconds Time.\n# TYPE t_seconds histogram\n# UNIT t_seconds seconds\nt_seconds_sum 0.5\n# EOF\n";
        let expected = "# HELP a_b_total Things.\n# TYPE a_b_total counter\na_b_total{x=\"1\"} 3\n\
            # HELP t_seconds Time.\n# TYPE t_seconds histogram\nt_seconds_sum 0.5\n";
        assert_eq!(Format::Prometheus.of(open_metrics.to_owned()), expected);
        assert_eq!(Format::OpenMetrics.of(open_metrics.to_owned()), open_metrics);
    }

    #[test]
    fn open_metrics_is_given_to_clients_that_accept_it() {
        let accept = "application/openmetrics-text;version=1.0.0,text/plain;q=0.5";
        assert_eq!(Format::accepted(accept), Format::OpenMetrics);
        assert_eq!(Format::accepted("*/*"), Format::Prometheus);
    }
}
