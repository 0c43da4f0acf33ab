//! Images in folders, valid and invalid.

use std::fs;

use drsn_bundle::{Filter, Geometry};
use image::{DynamicImage, Rgb, RgbImage};
use ndarray::{Array3, Axis};

use super::*;

fn picture(side: u32, level: u8, number: usize) -> DynamicImage {
    RgbImage::from_fn(side, side, |x, _| Rgb([level, 0, x as u8 + number as u8])).into()
}

fn folder(classes: &[&str], files: usize, side: u32) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (class, name) in classes.iter().enumerate() {
        let below = folder.path().join(name);
        fs::create_dir(&below).unwrap();
        for file in 0..files {
            picture(side, class as u8 * 255, file).save(below.join(format!("{file}.png"))).unwrap();
        }
    }
    folder
}

fn config(split: Split) -> ImageConfig {
    ImageConfig {
        channels: 3,
        height: 4,
        width: 4,
        geometry: Geometry::Refuse,
        filter: Filter::Triangle,
        zero_centre: false,
        limit: None,
        split,
    }
}

const RANDOM: Split = Split::Random { held_out: 0.2, test: 0.3 };

#[test]
fn images_are_decoded_when_they_are_read() {
    let folder = folder(&["dark", "red"], 10, 4);
    let data = open(1, &config(RANDOM), folder.path(), None, false).unwrap();
    let test = data.test.unwrap();
    let counts = [&data.training, &data.held_out, &test].map(|part| part.indices.len());
    assert_eq!(counts, [10, 4, 6]);
    for index in test.indices {
        let mut values = Array3::from_elem((3, 4, 4), 0.5);
        test.source.read(index, 0, values.view_mut().into_dyn()).unwrap();
        let level = test.source.label(index) as f32;
        let plane = |channel: usize| values.index_axis(Axis(0), channel);
        assert!(plane(0).iter().all(|&x| x == level) && plane(1).iter().all(|&x| x == 0.0));
    }
}

#[test]
fn another_size_is_refused_by_name_before_training_or_fitted() {
    let folder = folder(&["a", "b"], 5, 5);
    let said = open(1, &config(RANDOM), folder.path(), None, false).unwrap_err().to_string();
    assert!(said.contains("a/0.png: the picture is 5 x 5"), "{said}");
    let fitted = ImageConfig { geometry: Geometry::Stretch, ..config(RANDOM) };
    let data = open(1, &fitted, folder.path(), None, false).unwrap();
    let mut values = Array3::zeros((3, 4, 4));
    data.training.source.read(0, 0, values.view_mut().into_dyn()).unwrap();
}

#[test]
fn damaged_images_are_named_or_skipped_and_time_is_no_split() {
    let folder = folder(&["a", "b"], 5, 4);
    fs::write(folder.path().join("b/bad.jpg"), "no picture").unwrap();
    let said = open(1, &config(RANDOM), folder.path(), None, false).unwrap_err().to_string();
    assert!(said.contains("bad.jpg") && said.contains("PNG, JPEG"), "{said}");
    let data = open(1, &config(RANDOM), folder.path(), None, true).unwrap();
    assert_eq!(data.skipped.len(), 1);
    let time = config(Split::Time { training: 0.5, held_out: 0.1 });
    let said = open(1, &time, folder.path(), None, false).unwrap_err().to_string();
    assert!(said.contains("cannot be split in time"), "{said}");
}

#[test]
fn copies_of_pictures_are_drawn_together_and_refused_under_two_labels() {
    let folder = folder(&["a", "b"], 10, 4);
    for file in 0..10 {
        let copy = folder.path().join(format!("a/copy of {file}.png"));
        fs::copy(folder.path().join(format!("a/{file}.png")), copy).unwrap();
    }
    let data = open(1, &config(RANDOM), folder.path(), None, false).unwrap();
    assert!(data.notes[0].text.starts_with("10 files are there more than once"));
    let parts = [&data.training, &data.held_out, data.test.as_ref().unwrap()];
    let names = |part: &crate::dataset::Part| -> Vec<String> {
        let names = part.indices.iter().map(|&index| part.source.name(index));
        names
            .filter_map(|name| name.strip_prefix("a/")?.split(' ').next_back().map(str::to_owned))
            .collect()
    };
    for (one, other) in [(0, 1), (0, 2), (1, 2)] {
        let (one, other) = (names(parts[one]), names(parts[other]));
        assert!(one.iter().all(|name| !other.contains(name)), "{one:?} {other:?}");
    }
    fs::copy(folder.path().join("a/3.png"), folder.path().join("b/3.png")).unwrap();
    let said = open(1, &config(RANDOM), folder.path(), None, false).unwrap_err().to_string();
    assert!(said.contains("a/3.png") && said.contains("b/3.png"), "{said}");
}

/// Half of a class was once left out silently, because its pictures were in formats that only the
/// server read, and thumbnails of a network storage were trained on.
#[test]
fn every_format_is_read_whatever_its_ending_and_what_is_left_out_is_told() {
    let folder = folder(&["a", "b"], 3, 4);
    let place = |name: &str| folder.path().join(name);
    let names = ["1.bmp", "2.WEBP", "3.gif", "4.jfif", "5.dib", "without", "photo.orig"];
    let formats = [
        image::ImageFormat::Bmp,
        image::ImageFormat::WebP,
        image::ImageFormat::Gif,
        image::ImageFormat::Jpeg,
        image::ImageFormat::Bmp,
        image::ImageFormat::Png,
        image::ImageFormat::Png,
    ];
    for (number, (name, format)) in names.iter().zip(formats).enumerate() {
        picture(4, 100 + 20 * number as u8, number)
            .save_with_format(place("a").join(name), format)
            .unwrap();
    }
    for below in ["a/@eaDir/0.png", "b/__MACOSX", "a/.ipynb_checkpoints", "@eaDir", "$RECYCLE.BIN"]
    {
        fs::create_dir_all(place(below)).unwrap();
        fs::copy(place("a/0.png"), place(below).join("thumbnail.png")).unwrap();
    }
    for name in ["a/Thumbs.db", "b/._0.png", "b/desktop.ini", "a/.DS_Store"] {
        fs::write(place(name), "x").unwrap();
    }
    let told = |folder: &Path| {
        let data = open(1, &config(RANDOM), folder, None, false).unwrap();
        let test = data.test.as_ref().unwrap().indices.len();
        let count = data.training.indices.len() + data.held_out.indices.len() + test;
        (count, data.notes.iter().map(ToString::to_string).collect::<Vec<_>>(), data.description)
    };
    let (count, notes, _) = told(folder.path());
    assert_eq!((count, notes), (13, Vec::new()));
    for name in ["a/notes.txt", "b/list.pdf", "b/more.txt", "read me"] {
        fs::write(place(name), "x").unwrap();
    }
    let (count, notes, description) = told(folder.path());
    let text = "4 files were left out: 2 .txt, 1 .pdf, 1 without an ending";
    assert_eq!(
        (count, notes),
        (13, vec![format!("{text}: a/notes.txt, b/list.pdf, b/more.txt, read me")])
    );
    assert!(description.ends_with(text), "{description}");
}
