//! RSA keys whose primes come from the broken generator of CVE-2017-15361 (ROCA).
//!
//! That generator made every prime, and so every modulus, a power of 65537 modulo each small prime. A
//! modulus of another generator is that for all of them once in about 2^28.

/// The primes whose powers of 65537 are not already all remainders, or nearly.
const PRIMES: [u32; 17] =
    [11, 13, 17, 19, 37, 53, 61, 71, 73, 79, 97, 103, 107, 109, 127, 151, 157];
const GENERATOR: u32 = 65_537;

/// Whether the modulus (big-endian) has the mark of that generator.
pub(super) fn has_mark(modulus: &[u8]) -> bool {
    PRIMES.iter().all(|&prime| is_power(remainder(modulus, prime), prime))
}

fn remainder(number: &[u8], prime: u32) -> u32 {
    let next = |rest: u32, byte: &u8| (rest * 256 + u32::from(*byte)) % prime;
    number.iter().fold(0, next)
}

/// Whether some power of the generator leaves this remainder.
fn is_power(remainder: u32, prime: u32) -> bool {
    let mut power = 1;
    loop {
        if power == remainder {
            return true;
        }
        power = power * (GENERATOR % prime) % prime;
        if power == 1 {
            return false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The remainders that are powers, and how many there are.
    fn powers(prime: u32) -> usize {
        (0..prime).filter(|&remainder| is_power(remainder, prime)).count()
    }

    #[test]
    fn powers_are_few_for_every_prime_that_is_looked_at() {
        let chance: f64 = PRIMES.iter().map(|&p| powers(p) as f64 / f64::from(p)).product();
        assert!(chance < 2_f64.powi(-24), "2^{}", chance.log2());
    }

    #[test]
    fn a_power_of_the_generator_has_the_mark_and_its_neighbour_has_not() {
        // 65537^4, as eight bytes and a leading one.
        let power = 65_537_u128.pow(4);
        assert!(has_mark(&power.to_be_bytes()));
        assert!(!has_mark(&(power + 2).to_be_bytes()));
        assert!(!has_mark(&[]));
    }
}
