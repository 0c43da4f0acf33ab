//! Vectors of eight 32-bit floats, as plain arrays.
//!
//! Code over them compiles to the processor's vector instructions inside a function that is declared with
//! `vectorized!`, which picks the widest set that the processor has.

/// Floats in a vector.
pub(super) const LANES: usize = 8;

/// Eight floats.
pub(super) type Lanes = [f32; LANES];

/// Declares a function whose body is compiled for several sets of vector instructions, of which a call takes the
/// best that the processor has. All its references have the one lifetime; what it calls must be inlined into it, or
/// it would be compiled for the poorest set, where a fused multiplication is a call into a library.
macro_rules! vectorized {
    ($(#[$about:meta])* $vis:vis fn $name:ident<$life:lifetime>($($arg:ident: $kind:ty),* $(,)?) $(-> $ret:ty)? $body:block) => {
        $(#[$about])*
        $vis fn $name<$life>($($arg: $kind),*) $(-> $ret)? {
            struct Call<$life> { $($arg: $kind),* }

            impl<$life> pulp::NullaryFnOnce for Call<$life> {
                type Output = vectorized!(@output $($ret)?);

                #[inline(always)]
                fn call(self) -> Self::Output {
                    let Self { $($arg),* } = self;
                    $body
                }
            }

            pulp::Arch::new().dispatch(Call { $($arg),* })
        }
    };
    (@output) => { () };
    (@output $ret:ty) => { $ret };
}

pub(super) use vectorized;

/// The vector at `at`; zeros where there is none.
#[inline(always)]
pub(super) fn load(values: &[f32], at: usize) -> Lanes {
    match values.get(at..at + LANES) {
        Some(lanes) => std::array::from_fn(|i| lanes[i]),
        None => [0.0; LANES],
    }
}

/// The vector at `at`, which there is: as fast as it can be read.
#[inline(always)]
pub(super) fn whole(values: &[f32], at: usize) -> &Lanes {
    const NONE: &Lanes = &[0.0; LANES];
    values[at..].first_chunk().unwrap_or(NONE)
}

/// `sum + a · b`, rounded once.
#[inline(always)]
pub(super) fn fused(sum: &mut Lanes, a: Lanes, b: Lanes) {
    for lane in 0..LANES {
        sum[lane] = a[lane].mul_add(b[lane], sum[lane]);
    }
}

/// `sum + factor · b`, rounded once.
#[inline(always)]
pub(super) fn fused_scalar(sum: &mut Lanes, factor: f32, b: Lanes) {
    for lane in 0..LANES {
        sum[lane] = factor.mul_add(b[lane], sum[lane]);
    }
}
