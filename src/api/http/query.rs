//! The options in the query of an HTTP request.

use crate::{error::ApiError, inference::options::Options};

/// Reads the options of a query like `top_k=3&diagnostics=full`.
pub(super) fn options(query: &str) -> Result<Options, ApiError> {
    let mut options = Options::default();
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        options.set_written(&name, &value)?;
    }
    Ok(options)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inference::diagnostics::Detail;

    #[test]
    fn a_query_is_read_into_options() {
        let options = options("model=a%2Db&top_k=3&diagnostics=full&batch=2&overlap=0.5");
        let expected = Options {
            model: Some("a-b".to_owned()),
            top_k: Some(3),
            detail: Some(Detail::Full),
            batch: Some(2),
            overlap: Some(0.5),
            ..Options::default()
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
            let error = options(query).err().map(|e| e.detail);
            assert!(error.as_ref().is_some_and(|e| e.contains(fault)), "{query}: {error:?}");
        }
    }

    #[test]
    fn the_path_and_the_query_must_name_the_same_model() {
        let query = options("model=a").unwrap_or_default();
        assert!(query.clone().with_model(Some("a".to_owned()), None).is_ok());
        assert!(query.with_model(Some("b".to_owned()), None).is_err());
    }
}
