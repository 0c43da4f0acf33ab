//! Functions that use the CPU's vector instructions, whatever the program was compiled for.

/// Declares a function whose body is compiled for several sets of vector instructions; a call uses
/// the best one that the CPU supports. All its references share one lifetime. Functions that it
/// calls must be inlined, or they are compiled for the baseline instruction set, in which a fused
/// multiply-add is a library call.
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
