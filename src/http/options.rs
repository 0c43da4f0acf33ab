//! The options of a request, which come in the path, in the query and in a JSON body, and must agree.

use crate::{
    decode::JsonOptions,
    diagnostics::Detail,
    error::{ApiError, ErrorKind},
};

/// Options of `POST /classify`; what is none was not given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Options {
    pub(super) model: Option<String>,
    pub(super) version: Option<String>,
    pub(super) top_k: Option<usize>,
    pub(super) detail: Option<Detail>,
    /// Number of inputs in a body of raw numbers.
    pub(super) batch: Option<usize>,
}

impl Options {
    /// Reads a query, as `top_k=3&diagnostics=full`.
    pub(super) fn from_query(query: &str) -> Result<Self, ApiError> {
        let mut options = Self::default();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let given = match &*name {
                "model" => merge("model", &mut options.model, Some(value.into_owned())),
                "version" => merge("version", &mut options.version, Some(value.into_owned())),
                "top_k" => merge("top_k", &mut options.top_k, Some(count("top_k", &value)?)),
                "diagnostics" => merge("diagnostics", &mut options.detail, Some(detail(&value)?)),
                "batch" => merge("batch", &mut options.batch, Some(count("batch", &value)?)),
                _ => Err(unknown(&name)),
            };
            given?;
        }
        Ok(options)
    }

    /// Adds the model and version of the path.
    pub(super) fn with_path(
        mut self,
        model: Option<String>,
        version: Option<String>,
    ) -> Result<Self, ApiError> {
        merge("model", &mut self.model, model)?;
        merge("version", &mut self.version, version)?;
        Ok(self)
    }

    /// Adds the options of a JSON body.
    pub(super) fn with_json(mut self, json: JsonOptions) -> Result<Self, ApiError> {
        if self.batch.is_some() {
            return Err(ErrorKind::InvalidArgument.because(
                "the option batch belongs to bodies of raw numbers; a JSON body has its inputs in a list",
            ));
        }
        merge("model", &mut self.model, json.model)?;
        merge("version", &mut self.version, json.version)?;
        let top_k = json.top_k.map(|top_k| count("top_k", &top_k)).transpose()?;
        merge("top_k", &mut self.top_k, top_k)?;
        let detail = json.diagnostics.map(|word| detail(&word)).transpose()?;
        merge("diagnostics", &mut self.detail, detail)?;
        Ok(self)
    }
}

fn merge<T: PartialEq>(
    name: &str,
    option: &mut Option<T>,
    given: Option<T>,
) -> Result<(), ApiError> {
    match (&*option, &given) {
        (Some(before), Some(now)) if before != now => Err(ErrorKind::InvalidArgument
            .because(format!("the option {name} is given twice, with different values"))),
        (_, None) => Ok(()),
        (_, Some(_)) => {
            *option = given;
            Ok(())
        }
    }
}

fn count(name: &str, value: &str) -> Result<usize, ApiError> {
    value.parse().ok().filter(|&count| count > 0).ok_or_else(|| {
        ErrorKind::InvalidArgument
            .because(format!("the option {name} must be a whole number above 0"))
    })
}

fn detail(value: &str) -> Result<Detail, ApiError> {
    match value {
        "none" => Ok(Detail::None),
        "summary" => Ok(Detail::Summary),
        "full" => Ok(Detail::Full),
        _ => Err(ErrorKind::InvalidArgument
            .because("the option diagnostics must be none, summary or full")),
    }
}

fn unknown(name: &str) -> ApiError {
    // What the client wrote is shown to it, but never at length.
    let shown: String = name.chars().take(40).collect();
    ErrorKind::InvalidArgument.because(format!(
        "there is no option {shown:?}; the options are model, version, top_k, diagnostics and batch"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_read_into_options() {
        let options = Options::from_query("model=a%2Db&top_k=3&diagnostics=full&batch=2");
        let expected = Options {
            model: Some("a-b".to_owned()),
            version: None,
            top_k: Some(3),
            detail: Some(Detail::Full),
            batch: Some(2),
        };
        assert_eq!(options, Ok(expected));
    }

    #[test]
    fn options_that_disagree_or_do_not_exist_are_refused() {
        for (query, fault) in [
            ("top_k=0", "above 0"),
            ("top_k=many", "above 0"),
            ("diagnostics=all", "none, summary or full"),
            ("topk=3", "no option \"topk\""),
            ("model=a&model=b", "twice"),
        ] {
            let error = Options::from_query(query).err().map(|e| e.detail);
            assert!(error.as_ref().is_some_and(|e| e.contains(fault)), "{query}: {error:?}");
        }
    }

    #[test]
    fn the_path_and_the_query_may_say_the_same_and_nothing_else() {
        let query = Options::from_query("model=a").unwrap_or_default();
        assert!(query.clone().with_path(Some("a".to_owned()), None).is_ok());
        assert!(query.with_path(Some("b".to_owned()), None).is_err());
    }
}
