//! Strings in a JSON body: bounded lists of files, and options that may be written as numbers.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{Error, SeqAccess, Visitor},
};

/// Limit of the files in a list, whatever the server's limits are: an empty string has three bytes
/// in a body and eight times as many in memory.
const MAX_FILES: usize = 1 << 16;

/// Images in base64.
#[derive(Debug)]
pub(super) struct Files<'a>(pub(super) Vec<Cow<'a, str>>);

/// A string, or a whole number that stands for its digits.
#[derive(Debug)]
pub(super) struct Word(pub(super) String);

/// One such string, or a short list of them.
#[derive(Debug)]
pub(super) struct Words(pub(super) Vec<String>);

impl<'de> Deserialize<'de> for Words {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        /// Far above the channels of any model.
        const MAX_WORDS: usize = 1024;
        struct OneOrMore;

        impl<'de> Visitor<'de> for OneOrMore {
            type Value = Words;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string, a number or a list of them")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Words, E> {
                Ok(Words(vec![text.to_owned()]))
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<Words, E> {
                Ok(Words(vec![number.to_string()]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Words, A::Error> {
                let mut words = Vec::new();
                while let Some(Word(word)) = list.next_element()? {
                    if words.len() == MAX_WORDS {
                        return Err(A::Error::custom(format!("more than {MAX_WORDS} channels")));
                    }
                    words.push(word);
                }
                Ok(Words(words))
            }
        }

        deserializer.deserialize_any(OneOrMore)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Files<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct List;

        impl<'de> Visitor<'de> for List {
            type Value = Files<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of base64 strings")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
                let mut files = Vec::new();
                while let Some(Borrowed(file)) = list.next_element()? {
                    if files.len() == MAX_FILES {
                        return Err(A::Error::custom(format!("more than {MAX_FILES} files")));
                    }
                    files.push(file);
                }
                Ok(Files(files))
            }
        }

        deserializer.deserialize_seq(List)
    }
}

/// A string that is borrowed from the body if it has no escapes.
#[derive(Deserialize)]
#[serde(transparent)]
struct Borrowed<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de> Deserialize<'de> for Word {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextOrNumber;

        impl Visitor<'_> for TextOrNumber {
            type Value = Word;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string or a whole number")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Word, E> {
                Ok(Word(text.to_owned()))
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<Word, E> {
                Ok(Word(number.to_string()))
            }
        }

        deserializer.deserialize_any(TextOrNumber)
    }
}
