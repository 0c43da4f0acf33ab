//! Pictures that are small as files and costly to decode, in each of the forms in which one can be
//! sent.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use image::ImageFormat;
use serde_json::json;

use super::{
    pictures::{self, Coding, Jpeg},
    random::Random,
    recording_files::form,
    send::Post,
};

/// A picture in any format.
fn file(random: &mut Random) -> Vec<u8> {
    // Debug builds take seconds to write the largest.
    let most = if cfg!(debug_assertions) { 2000 } else { 7000 };
    let (width, height) = (random.within(500, most) as u32, random.within(500, most) as u32);
    let (w, h) = (width as u16, height as u16);
    let sampling = random.pick(&[&[0x11][..], &[0x11; 3], &[0x22, 0x11, 0x11], &[0x11; 4]]);
    let scans = random.within(1, 60);
    let jpeg = |coding| Jpeg { width: w, height: h, sampling, coding }.file();
    let picture = match random.below(12) {
        0 => jpeg(Coding::Progressive(scans)),
        1 => jpeg(Coding::Refining(scans)),
        2 => jpeg(Coding::EmptyScans(scans)),
        3 => jpeg(Coding::Separate),
        4 => pictures::run_length_bmp(width, height, &[0, 2, 255, 255, 0, 2, 255, 255, 0, 1]),
        5 => pictures::run_length_bmp(width, height, &pictures::runs(width, height)),
        6 => pictures::png(width, height, 0, 1, random.below(2) == 0),
        7 => pictures::png(width, height / 4, 6, 16, random.below(2) == 0),
        8 => pictures::webp_of_many_codes(random.within(100, 2000) as u32),
        9 => pictures::lossy_webp(w, h, random.within(2000, 400_000)),
        10 => pictures::animated_webp(w / 2, h / 2),
        _ => pictures::encoded(width, height / 2, ImageFormat::Gif, false),
    };
    let mut bytes = picture.bytes;
    if random.below(8) == 0 {
        bytes.truncate(bytes.len() / 2);
    }
    bytes
}

/// A request with a picture as it is, in JSON, in a form, as a tensor of bytes, or in a message.
pub(crate) fn request(random: &mut Random) -> Post {
    let file = file(random);
    let model = random.pick(&["mnist", "cifar10"]);
    let path = format!("/models/{model}/classify");
    let text = || BASE64_STANDARD.encode(&file);
    match random.below(7) {
        0 if file.len() < 1 << 20 => {
            let count = random.within(1, 12);
            Post::http(
                &path,
                "application/json",
                json!({"images": vec![text(); count]}).to_string(),
            )
        }
        1 => Post::http(&path, "application/json", json!({"image": text()}).to_string()),
        2 | 3 => {
            let count = random.within(1, 24).min((16 << 20) / file.len()).max(1);
            Post::http(&path, "multipart/form-data; boundary=b", form(&vec![file; count]))
        }
        4 => {
            let input =
                json!({"name": "input", "shape": [1], "datatype": "BYTES", "data": [text()]});
            let body = json!({"inputs": [input]}).to_string();
            Post::http(&format!("/v2/models/{model}/infer"), "application/json", body)
        }
        5 => {
            let mut length = file.len();
            let mut content = vec![0x12];
            while length >= 0x80 {
                content.push(length as u8 | 0x80);
                length >>= 7;
            }
            content.push(length as u8);
            content.extend(&file);
            content.extend([0x2a, model.len() as u8]);
            content.extend(model.bytes());
            Post::call("/drsn.v1.Classifier/Classify", &content, false)
        }
        _ => Post::http(&path, random.pick(&["image/png", "image/jpeg"]), file),
    }
}
