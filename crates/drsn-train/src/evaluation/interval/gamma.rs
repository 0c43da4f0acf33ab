//! The logarithm of the gamma function.

/// ln Γ(x) for x > 0, to about ten digits: Stirling's series from 8 on, below it by
/// Γ(x) = Γ(x + 1) / x.
pub(super) fn ln_gamma(x: f64) -> f64 {
    let (mut x, mut product) = (x, 1.0);
    while x < 8.0 {
        product *= x;
        x += 1.0;
    }
    let square = 1.0 / (x * x);
    let series = (1.0 / 12.0 - square * (1.0 / 360.0 - square / 1260.0)) / x;
    (x - 0.5) * x.ln() - x + 0.5 * std::f64::consts::TAU.ln() + series - product.ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_logarithm_of_factorials_and_of_the_root_of_pi() {
        let close = |a: f64, b: f64| assert!((a - b).abs() < 1e-9, "{a} {b}");
        close(ln_gamma(1.0), 0.0);
        close(ln_gamma(11.0), 3_628_800_f64.ln());
        close(ln_gamma(0.5), std::f64::consts::PI.sqrt().ln());
        // math.lgamma(1234.5) and math.lgamma(1e-6) in Python.
        close(ln_gamma(1234.5), 7_550.550_901_077_896);
        close(ln_gamma(1e-6), 13.815_509_980_749_432);
    }
}
