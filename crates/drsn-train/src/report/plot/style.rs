//! Colours and font sizes of plots and pages: one palette, for light and dark.

use plotters::style::RGBColor;

/// Font sizes in pixels.
pub(super) const TITLE: f64 = 17.0;
pub(super) const LABEL: f64 = 14.0;
pub(super) const SMALL: f64 = 12.5;

/// A colour by its role.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ink {
    Text,
    Faint,
    Grid,
    Paper,
    /// The n-th series.
    Series(usize),
}

/// The colour of what is right, and of training.
pub(super) const BLUE: Ink = Ink::Series(0);
/// The colour of what is wrong, and of held-out data.
pub(super) const VERMILLION: Ink = Ink::Series(1);
pub(super) const GREEN: Ink = Ink::Series(2);

/// A colour of some opacity, in [0, 1].
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Tone {
    pub(super) ink: Ink,
    pub(super) share: f64,
}

/// Variables of the style sheet, each with its colour in light and dark.
const ROLES: [(&str, [u32; 2]); 4] = [
    ("ink", [0x1f_2328, 0xe6_e8ea]),
    ("faint", [0x5b_636b, 0xa8_b0b8]),
    ("grid", [0xdc_dfe3, 0x3a_4047]),
    ("paper", [0xff_ffff, 0x16_191d]),
];

/// Colours that are distinguishable with any colour vision: M. Okabe and K. Ito, "Color Universal
/// Design", 2008, without the yellow, which is too light on white. In the dark they are lighter.
const SERIES: [[u32; 2]; 7] = [
    [0x00_72b2, 0x5f_b3ea],
    [0xd5_5e00, 0xff_9350],
    [0x00_9e73, 0x37_c79c],
    [0xcc_79a7, 0xe6_a3c8],
    [0xc4_8500, 0xf0_b73f],
    [0x56_b4e9, 0xa4_d8f7],
    [0x00_0000, 0xff_ffff],
];

impl Ink {
    /// This colour with some opacity.
    pub(super) fn at(self, share: f64) -> Tone {
        Tone { ink: self, share: share.clamp(0.0, 1.0) }
    }

    /// The name of its variable in a style sheet.
    pub(super) fn variable(self) -> String {
        match self {
            Self::Text => "ink".to_owned(),
            Self::Faint => "faint".to_owned(),
            Self::Grid => "grid".to_owned(),
            Self::Paper => "paper".to_owned(),
            Self::Series(series) => format!("series-{}", series % SERIES.len()),
        }
    }

    /// The colour in light.
    fn light(self) -> u32 {
        match self {
            Self::Text => ROLES[0].1[0],
            Self::Faint => ROLES[1].1[0],
            Self::Grid => ROLES[2].1[0],
            Self::Paper => ROLES[3].1[0],
            Self::Series(series) => SERIES[series % SERIES.len()][0],
        }
    }
}

impl From<Ink> for Tone {
    fn from(ink: Ink) -> Self {
        ink.at(1.0)
    }
}

impl Tone {
    /// The colour on white paper.
    pub(super) fn rgb(self) -> RGBColor {
        let [_, red, green, blue] = self.ink.light().to_be_bytes();
        let mix = |c: u8| (255.0 + (f64::from(c) - 255.0) * self.share).round() as u8;
        RGBColor(mix(red), mix(green), mix(blue))
    }
}

/// A style sheet with the colours as variables: light, dark if the reader prefers it, and light on
/// paper.
pub(crate) fn variables() -> String {
    let set = |theme: usize| {
        let roles = ROLES.iter().map(|(name, colors)| ((*name).to_owned(), colors));
        let series = (0..).zip(&SERIES).map(|(n, colors)| (Ink::Series(n).variable(), colors));
        let values = roles
            .chain(series)
            .map(|(name, colors)| format!("--{name}:#{:06x};", colors[theme]))
            .collect::<Vec<_>>();
        format!(":root{{{}}}", values.concat())
    };
    format!("{}\n@media screen and (prefers-color-scheme: dark){{{}}}\n", set(0), set(1))
}
