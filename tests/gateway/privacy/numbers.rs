//! Numbers to plant.

/// Stands before a number where letters may stand.
pub(super) const MARK: &str = "Zebedee";

/// Synthetic NHS numbers, each with its check digit, each given out once.
pub(super) struct Numbers {
    next: u32,
    pub(super) given: Vec<String>,
}

impl Numbers {
    pub(super) const fn new() -> Self {
        Self { next: 990_000_000, given: Vec::new() }
    }

    /// Ten digits.
    pub(super) fn number(&mut self) -> String {
        loop {
            let nine = self.next;
            self.next += 1;
            if let Some(number) = with_check_digit(nine) {
                self.given.push(number.clone());
                return number;
            }
        }
    }

    /// A word with a number in it.
    pub(super) fn word(&mut self) -> String {
        format!("{MARK}{}", self.number())
    }
}

/// Modulus 11; none for numbers that have no check digit.
fn with_check_digit(nine: u32) -> Option<String> {
    let text = format!("{nine:09}");
    let weighted =
        text.bytes().zip((2..=10).rev()).map(|(digit, weight)| u32::from(digit - b'0') * weight);
    let check = 11 - weighted.sum::<u32>() % 11;
    match check {
        11 => Some(format!("{text}0")),
        10 => None,
        check => Some(format!("{text}{check}")),
    }
}
