//! The trainer as a whole: parity of the engines, reproducibility, exact statistics, and the path
//! from digits to a bundle. One program, so that it is linked once.

#[cfg(test)]
mod batch_norm_reestimation;
#[cfg(test)]
mod check_statistics;
#[cfg(test)]
mod class_map;
#[cfg(test)]
mod command_line;
#[cfg(test)]
mod cut_windows;
#[cfg(test)]
mod cwru;
#[cfg(test)]
mod data_sets;
#[cfg(test)]
mod end_to_end;
#[cfg(test)]
mod evaluation;
#[cfg(test)]
mod export_anyway;
#[cfg(test)]
mod fetch;
#[cfg(test)]
mod full_disk;
#[cfg(test)]
mod fused_graph;
#[cfg(test)]
mod going_on;
#[cfg(test)]
mod interruption;
#[cfg(test)]
mod other_data;
#[cfg(test)]
mod parity;
#[cfg(test)]
mod predict;
#[cfg(test)]
mod progress;
#[cfg(test)]
mod python;
#[cfg(test)]
mod reported;
#[cfg(test)]
mod reproducibility;
mod row_graph;
#[cfg(test)]
mod situations;
#[path = "../../../../tests/support/skip.rs"]
#[cfg(test)]
mod skip;
#[cfg(test)]
mod study;
#[cfg(test)]
mod support;
#[cfg(test)]
mod workspace;
