//! The device on which a session computes.

use std::{fmt, iter::successors};

/// Factor between consecutive batch-size buckets on a GPU.
const BUCKET_FACTOR: usize = 8;

/// The device on which a session computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Provider {
    /// The CPU, on the calling thread.
    Cpu,
    /// An NVIDIA GPU, by its number.
    Cuda(u32),
}

impl Provider {
    /// Batch sizes, ascending, to warm up for batches of up to `largest` inputs. On a GPU they are
    /// the buckets that batches are padded to; the CPU runs batches of any size.
    pub fn batch_sizes(self, largest: usize) -> Vec<usize> {
        match self {
            Self::Cpu => vec![1, largest],
            Self::Cuda(_) => buckets(largest),
        }
    }

    /// ONNX Runtime's name of the execution provider.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cpu => "CPUExecutionProvider",
            Self::Cuda(_) => "CUDAExecutionProvider",
        }
    }
}

impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cpu => f.write_str("cpu"),
            Self::Cuda(device) => write!(f, "cuda:{device}"),
        }
    }
}

/// Batch-size buckets for batches of up to `largest` inputs, ascending.
fn buckets(largest: usize) -> Vec<usize> {
    let smaller = successors(Some(1), |size| Some(BUCKET_FACTOR * size));
    smaller.take_while(|&size| size < largest).chain([largest.max(1)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_few_buckets_and_the_largest_batch_fills_the_last() {
        assert_eq!(buckets(1), [1]);
        assert_eq!(buckets(8), [1, 8]);
        assert_eq!(buckets(48), [1, 8, 48]);
        assert_eq!(buckets(64), [1, 8, 64]);
    }
}
