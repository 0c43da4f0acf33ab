//! The offline half as a whole: parity of the engines, reproducibility, calibration, and the way from digits to a
//! bundle. One program, so that it is linked once.

#[cfg(test)]
mod calibration;
#[cfg(test)]
mod command_line;
#[cfg(test)]
mod cwru;
#[cfg(test)]
mod end_to_end;
#[cfg(test)]
mod evaluation;
#[cfg(test)]
mod fetch;
mod fused;
#[cfg(test)]
mod interruption;
#[cfg(test)]
mod other_data;
#[cfg(test)]
mod parity;
#[cfg(test)]
mod place;
#[cfg(test)]
mod predict;
#[cfg(test)]
mod python;
#[cfg(test)]
mod reproducibility;
#[path = "../../../../tests/support/skip.rs"]
#[cfg(test)]
mod skip;
#[cfg(test)]
mod support;
