//! Functions for the vector instructions that the processor has, whatever the program was compiled for.

/// Declares a function whose body is compiled for several sets of vector instructions, of which a call takes the
/// best that the processor has. All its references have the one lifetime; what it calls must be inlined into it, or
/// it would be compiled for the poorest set, where a fused multiplication is a call into a library.
#[macro_export]
macro_rules! vectorized {
    ($(#[$about:meta])* $vis:vis fn $name:ident<$life:lifetime>($($arg:ident: $kind:ty),* $(,)?) $(-> $ret:ty)? $body:block) => {
        $(#[$about])*
        $vis fn $name<$life>($($arg: $kind),*) $(-> $ret)? {
            struct Call<$life> { $($arg: $kind),* }

            impl<$life> $crate::pulp::NullaryFnOnce for Call<$life> {
                type Output = $crate::vectorized!(@output $($ret)?);

                #[inline(always)]
                fn call(self) -> Self::Output {
                    let Self { $($arg),* } = self;
                    $body
                }
            }

            $crate::pulp::Arch::new().dispatch(Call { $($arg),* })
        }
    };
    (@output) => { () };
    (@output $ret:ty) => { $ret };
}
