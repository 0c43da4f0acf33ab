//! Pictures that Pillow writes with random content, modes and options, against what Pillow reads from
//! them: either the pixels are the same, or the picture is refused.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{fs, path::Path};

use drsn_bundle::{Filter, Geometry, ImageError, ImageSpec, input::ImageFile};
use serde::Deserialize;

#[path = "../../../tests/support/references.rs"]
mod references;
#[path = "../../../tests/support/skip.rs"]
mod skip;

/// A picture, and the levels that are right.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    file: String,
    /// How it was written.
    about: String,
    height: usize,
    width: usize,
    /// Red, green and blue over black, from 0 to 255, `[3, H, W]`.
    levels: Vec<f32>,
    /// Whether decoders may differ in their rounding.
    is_lossy: bool,
}

impl Case {
    fn spec(&self, channels: usize) -> ImageSpec {
        ImageSpec {
            channels,
            height: self.height,
            width: self.width,
            geometry: Geometry::Refuse,
            filter: Filter::Triangle,
            mean: vec![0.0; channels],
            std: vec![1.0; channels],
        }
    }

    /// Grey levels, by the weights of Rec. 601.
    fn grey(&self) -> Vec<f32> {
        let (red, rest) = self.levels.split_at(self.height * self.width);
        let (green, blue) = rest.split_at(rest.len() / 2);
        let luma = |((r, g), b): ((&f32, &f32), &f32)| 0.299 * r + 0.587 * g + 0.114 * b;
        red.iter().zip(green).zip(blue).map(luma).collect()
    }

    /// The largest or, of a lossy format, the mean difference in levels.
    fn difference(&self, found: &[f32], right: &[f32]) -> f32 {
        let apart = || found.iter().zip(right).map(|(value, level)| (value * 255.0 - level).abs());
        if self.is_lossy {
            apart().sum::<f32>() / right.len() as f32
        } else {
            apart().fold(0.0, f32::max)
        }
    }

    fn read(&self, folder: &Path, channels: usize) -> Result<Vec<f32>, ImageError> {
        let file = fs::read(folder.join(&self.file)).unwrap();
        let pixels = ImageFile::open(&file, 1_000_000)?.pixels(&self.spec(channels), None)?;
        Ok(pixels.into_raw_vec_and_offset().0)
    }
}

#[test]
fn pictures_of_pillow_are_read_as_pillow_reads_them() {
    /// Levels from 0 to 255: of rounding, and of decoders of lossy formats on average.
    const MOST: f32 = 1.01;
    const MOST_OF_LOSSY: f32 = 2.5;
    let Some(folder) = references::write("pictures") else { return };
    let cases = fs::read(folder.path().join("cases.json")).unwrap();
    let cases: Vec<Case> = serde_json::from_slice(&cases).unwrap();
    let (mut read, mut refused, mut wrong) = (0, Vec::new(), Vec::new());
    for case in &cases {
        for (channels, right) in [(3, &case.levels), (1, &case.grey())] {
            let about = format!("{} ({}), {channels} channels", case.file, case.about);
            let found = match case.read(folder.path(), channels) {
                Ok(found) => found,
                Err(error) => {
                    refused.push(format!("{about}: {error}"));
                    continue;
                }
            };
            let difference = case.difference(&found, right);
            if difference <= if case.is_lossy { MOST_OF_LOSSY } else { MOST } {
                read += 1;
            } else {
                wrong.push(format!("{about}: {difference} levels"));
            }
        }
    }
    eprintln!(
        "pictures: {read} read, {} refused, {} wrong\n{}",
        refused.len(),
        wrong.len(),
        references::first(&refused)
    );
    assert!(wrong.is_empty(), "read otherwise:\n{}", references::first(&wrong));
    assert!(read > 4 * refused.len(), "{} were refused", refused.len());
}
