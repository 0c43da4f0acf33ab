//! The samples of one channel in a FLAC frame: a prediction by those before, and what it leaves.

use super::{Fault, bits::Bits};

const RESERVED: Fault = Fault::Damaged("a frame has a reserved value");
const TOO_LARGE: Fault = Fault::Damaged("a sample has more bits than the file declares");

/// Appends `block` samples of `depth` bits, at most 33, to none.
pub(super) fn decode(
    bits: &mut Bits<'_>,
    block: usize,
    depth: u32,
    samples: &mut Vec<i64>,
) -> Result<(), Fault> {
    if bits.read(1)? != 0 {
        return Err(RESERVED);
    }
    let kind = bits.read(6)?;
    // Bits at the end of every sample that are all zero.
    let unused = match bits.read(1)? {
        0 => 0,
        _ => bits.read_unary()? + 1,
    };
    let depth = u64::from(depth).checked_sub(unused).filter(|&depth| depth > 0).ok_or(TOO_LARGE)?;
    let depth = depth as u32;
    match kind {
        0 => samples.resize(block, bits.read_signed(depth)?),
        1 => verbatim(bits, block, depth, samples)?,
        8..=12 => {
            let order = kind as usize - 8;
            verbatim(bits, order.min(block), depth, samples)?;
            residual(bits, block, order, samples)?;
            let factors: &[i64] = match order {
                0 => &[],
                1 => &[1],
                2 => &[-1, 2],
                3 => &[1, -3, 3],
                _ => &[-1, 4, -6, 4],
            };
            predict(factors, 0, depth, samples)?;
        }
        32..=63 => linear(bits, block, kind as usize - 31, depth, samples)?,
        _ => return Err(RESERVED),
    }
    for sample in samples.iter_mut() {
        *sample <<= unused;
    }
    Ok(())
}

fn verbatim(
    bits: &mut Bits<'_>,
    count: usize,
    depth: u32,
    samples: &mut Vec<i64>,
) -> Result<(), Fault> {
    for _ in 0..count {
        samples.push(bits.read_signed(depth)?);
    }
    Ok(())
}

/// Samples that are predicted by factors of their own.
fn linear(
    bits: &mut Bits<'_>,
    block: usize,
    order: usize,
    depth: u32,
    samples: &mut Vec<i64>,
) -> Result<(), Fault> {
    verbatim(bits, order.min(block), depth, samples)?;
    let precision = bits.read(4)? as u32 + 1;
    let shift = bits.read_signed(5)?;
    if precision > 15 || shift < 0 {
        return Err(RESERVED);
    }
    let mut factors = [0; 32];
    let factors = factors.get_mut(..order).ok_or(RESERVED)?;
    // The factor of the last sample comes first.
    for factor in factors.iter_mut().rev() {
        *factor = bits.read_signed(precision)?;
    }
    residual(bits, block, order, samples)?;
    predict(factors, shift as u32, depth, samples)
}

/// Appends what the prediction leaves, after `order` samples that are not predicted: Rice codes in
/// partitions of one size, each with its own number of lower bits.
fn residual(
    bits: &mut Bits<'_>,
    block: usize,
    order: usize,
    samples: &mut Vec<i64>,
) -> Result<(), Fault> {
    let parameter_bits = match bits.read(2)? {
        0 => 4,
        1 => 5,
        _ => return Err(RESERVED),
    };
    let partitions = 1 << bits.read(4)?;
    let size = block / partitions;
    if !block.is_multiple_of(partitions) || size < order {
        return Err(Fault::Damaged("the partitions of a frame do not fill it"));
    }
    for partition in 0..partitions {
        let count = if partition == 0 { size - order } else { size };
        let lower = bits.read(parameter_bits)? as u32;
        if lower == (1 << parameter_bits) - 1 {
            let width = bits.read(5)? as u32;
            verbatim(bits, count, width, samples)?;
            continue;
        }
        for _ in 0..count {
            let upper = bits.read_unary()?;
            if upper > u64::from(u32::MAX >> lower) {
                return Err(TOO_LARGE);
            }
            let code = upper << lower | bits.read(lower)?;
            // Even codes are positive, odd ones negative.
            samples.push((code >> 1) as i64 ^ -((code & 1) as i64));
        }
    }
    Ok(())
}

/// Adds to each sample the prediction by those before it; the factor of the oldest comes first. No
/// number overflows: samples have at most 33 bits, factors 15, and there are 32 of them.
fn predict(factors: &[i64], shift: u32, depth: u32, samples: &mut [i64]) -> Result<(), Fault> {
    let limit = 1 << (depth - 1);
    for index in factors.len()..samples.len() {
        let (before, rest) = samples.split_at_mut(index);
        let (Some(window), Some(sample)) = (before.get(index - factors.len()..), rest.first_mut())
        else {
            break;
        };
        let sum: i64 = window.iter().zip(factors).map(|(a, b)| a * b).sum();
        *sample += sum >> shift;
        if !(-limit..limit).contains(sample) {
            return Err(TOO_LARGE);
        }
    }
    Ok(())
}
