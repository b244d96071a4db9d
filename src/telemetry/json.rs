//! A JSON object written field by field: the log line of a request is made on the request's own
//! thread, and most of its fields are words and names that never need escaping.

use std::{
    cell::Cell,
    net::IpAddr,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// One object, written in the order in which its fields are given.
pub(crate) struct Object(Vec<u8>);

impl Object {
    /// An object that can grow to `room` bytes without moving.
    pub(crate) fn with_room(room: usize) -> Self {
        Self(Vec::with_capacity(room))
    }

    fn key(&mut self, name: &'static str) {
        match self.0.last() {
            None => self.0.push(b'{'),
            // Of an object within another; no value ends so.
            Some(b'{') => {}
            Some(_) => self.0.push(b','),
        }
        self.0.push(b'"');
        self.0.extend_from_slice(name.as_bytes());
        self.0.extend_from_slice(b"\":");
    }

    /// A word of ours, or a name of a type whose alphabet JSON takes as it is.
    pub(crate) fn word(&mut self, name: &'static str, value: &str) {
        debug_assert!(is_plain(value));
        self.key(name);
        self.0.push(b'"');
        self.0.extend_from_slice(value.as_bytes());
        self.0.push(b'"');
    }

    /// Any text, escaped.
    pub(crate) fn text(&mut self, name: &'static str, value: &str) {
        self.key(name);
        self.string(value);
    }

    fn string(&mut self, value: &str) {
        if is_plain(value) {
            self.0.push(b'"');
            self.0.extend_from_slice(value.as_bytes());
            self.0.push(b'"');
        } else {
            // Writing to a Vec can't fail.
            serde_json::to_writer(&mut self.0, value).unwrap_or_default();
        }
    }

    /// A whole number.
    pub(crate) fn number(&mut self, name: &'static str, value: impl itoa::Integer) {
        self.key(name);
        self.digits(value);
    }

    /// A yes or no.
    pub(crate) fn flag(&mut self, name: &'static str, value: bool) {
        self.key(name);
        self.0.extend_from_slice(if value { b"true" } else { b"false" });
    }

    /// Nothing.
    pub(crate) fn null(&mut self, name: &'static str) {
        self.key(name);
        self.0.extend_from_slice(b"null");
    }

    /// A length of time in milliseconds. Microseconds are exact enough, and print short.
    pub(crate) fn milliseconds(&mut self, name: &'static str, value: Duration) {
        self.key(name);
        let micros = value.as_secs().saturating_mul(1_000_000);
        let micros = micros.saturating_add(u64::from((value.subsec_nanos() + 500) / 1_000));
        self.digits(micros / 1_000);
        let mut places = u16::try_from(micros % 1_000).unwrap_or_default();
        self.0.push(b'.');
        // Without zeros at the end; the first place stands in any case.
        for _ in 0..3 {
            self.0.push(u8::try_from(places / 100).map_or(b'0', |digit| b'0' + digit));
            places = places % 100 * 10;
            if places == 0 {
                break;
            }
        }
    }

    /// A moment, as [`timestamp`] prints it, but to the microsecond.
    pub(crate) fn exact_moment(&mut self, name: &'static str, value: SystemTime) {
        let micros = value.duration_since(UNIX_EPOCH).unwrap_or_default().subsec_micros();
        self.key(name);
        self.0.push(b'"');
        self.0.extend_from_slice(
            timestamp(value).trim_ascii_end().strip_suffix(b"Z").unwrap_or_default(),
        );
        // The leading 1 keeps the zeros behind it.
        let mut buffer = itoa::Buffer::new();
        let places = buffer.format(1_000 + micros % 1_000).as_bytes();
        self.0.extend_from_slice(places.get(1..).unwrap_or_default());
        self.0.extend_from_slice(b"Z\"");
    }

    /// Texts, escaped; left out when there are none.
    pub(crate) fn texts<'t>(
        &mut self,
        name: &'static str,
        values: impl IntoIterator<Item = &'t str>,
    ) {
        let mut values = values.into_iter().peekable();
        if values.peek().is_none() {
            return;
        }
        self.key(name);
        for (place, value) in values.enumerate() {
            self.0.push(if place == 0 { b'[' } else { b',' });
            self.string(value);
        }
        self.0.push(b']');
    }

    /// A list of objects, one for each of `items`, as `write` writes it.
    pub(crate) fn objects<T>(
        &mut self,
        name: &'static str,
        items: impl IntoIterator<Item = T>,
        mut write: impl FnMut(&mut Self, T),
    ) {
        self.key(name);
        self.0.push(b'[');
        for (place, item) in items.into_iter().enumerate() {
            if place > 0 {
                self.0.push(b',');
            }
            self.0.push(b'{');
            write(self, item);
            self.0.push(b'}');
        }
        self.0.push(b']');
    }

    /// Whatever can be written as JSON.
    pub(crate) fn json(&mut self, name: &'static str, value: &impl serde::Serialize) {
        self.key(name);
        // Writing to a Vec can't fail.
        serde_json::to_writer(&mut self.0, value).unwrap_or_default();
    }

    /// An object within this one, left out when `write` writes nothing into it.
    pub(crate) fn nested(&mut self, name: &'static str, write: impl FnOnce(&mut Self)) {
        let before = self.0.len();
        self.key(name);
        self.0.push(b'{');
        let empty = self.0.len();
        write(self);
        if self.0.len() == empty {
            self.0.truncate(before);
        } else {
            self.0.push(b'}');
        }
    }

    /// The members that were written, for an object that others are put before.
    pub(crate) fn into_members(mut self) -> Vec<u8> {
        if !self.0.is_empty() {
            self.0.remove(0);
        }
        self.0
    }

    /// An address.
    pub(crate) fn address(&mut self, name: &'static str, value: IpAddr) {
        self.key(name);
        self.0.push(b'"');
        match value {
            IpAddr::V4(address) => {
                for (place, octet) in address.octets().into_iter().enumerate() {
                    if place > 0 {
                        self.0.push(b'.');
                    }
                    self.digits(octet);
                }
            }
            IpAddr::V6(address) => self.0.extend_from_slice(address.to_string().as_bytes()),
        }
        self.0.push(b'"');
    }

    /// A moment, as [`timestamp`] prints it.
    pub(crate) fn moment(&mut self, name: &'static str, value: SystemTime) {
        self.key(name);
        self.0.push(b'"');
        self.0.extend_from_slice(&timestamp(value));
        self.0.push(b'"');
    }

    fn digits(&mut self, value: impl itoa::Integer) {
        self.0.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
    }

    /// The object and a line end.
    pub(crate) fn into_line(mut self) -> Vec<u8> {
        self.0.extend_from_slice(if self.0.is_empty() { b"{}\n" } else { b"}\n" });
        self.0
    }
}

/// Whether JSON takes a text as it is. One folds over all bytes instead of stopping at the first that
/// it does not: the compiler vectorises it.
fn is_plain(text: &str) -> bool {
    let plain = |byte: u8| (byte >= b' ') & (byte != b'"') & (byte != b'\\');
    text.bytes().fold(true, |all, byte| all & plain(byte))
}

/// A second since 1970 and how it prints, up to the point before its fraction.
type Second = (u64, [u8; 20]);

thread_local! {
    /// The second printed last: most requests end in the same one.
    static LAST: Cell<Second> = const { Cell::new((0, *b"1970-01-01T00:00:00.")) };
}

/// RFC 3339 in UTC, to the millisecond. A moment before 1970 prints as its beginning.
pub(crate) fn timestamp(at: SystemTime) -> [u8; 24] {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    let (mut second, mut text) = LAST.get();
    if second != since.as_secs() {
        (second, text) = (since.as_secs(), print_second(since.as_secs()));
        LAST.set((second, text));
    }
    let mut printed = *b"1970-01-01T00:00:00.000Z";
    let (date_and_time, fraction) = printed.split_at_mut(text.len());
    date_and_time.copy_from_slice(&text);
    let mut buffer = itoa::Buffer::new();
    let places = buffer.format(1_000 + since.subsec_millis()).bytes().skip(1);
    fraction.iter_mut().zip(places).for_each(|(place, digit)| *place = digit);
    printed
}

fn print_second(second: u64) -> [u8; 20] {
    let at =
        i64::try_from(second).ok().and_then(|second| jiff::Timestamp::from_second(second).ok());
    let printed = format!("{:.3}", at.unwrap_or(jiff::Timestamp::UNIX_EPOCH));
    let mut text = *b"1970-01-01T00:00:00.";
    text.iter_mut().zip(printed.bytes()).for_each(|(place, byte)| *place = byte);
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(write: impl FnOnce(&mut Object)) -> String {
        let mut object = Object::with_room(0);
        write(&mut object);
        String::from_utf8(object.into_line()).unwrap()
    }

    #[test]
    fn fields_are_written_as_json_has_them() {
        let line = written(|object| {
            object.word("word", "fhir:rest:read:patient-1");
            object.text("text", "one\n\"two\"\\\u{1}");
            object.texts("texts", ["plain", "\"", "\u{e9}\u{7f}"]);
            object.objects("objects", [1, 2], |object, item| object.number("item", item));
            object.objects("nothing", [0; 0], |object, item| object.number("item", item));
            object.number("number", 42_u64);
            object.flag("flag", true);
            object.null("null");
            object.address("four", "192.0.2.250".parse().unwrap());
            object.address("six", "2001:db8::1".parse().unwrap());
        });
        let expected = concat!(
            r#"{"word":"fhir:rest:read:patient-1","text":"one\n\"two\"\\\u0001","#,
            "\"texts\":[\"plain\",\"\\\"\",\"\u{e9}\u{7f}\"],",
            r#""objects":[{"item":1},{"item":2}],"nothing":[],"number":42,"#,
            r#""flag":true,"null":null,"four":"192.0.2.250","six":"2001:db8::1"}"#,
            "\n"
        );
        assert_eq!(line, expected);
        assert_eq!(written(|_| {}), "{}\n");
    }

    #[test]
    fn milliseconds_have_up_to_three_places() {
        for (nanos, expected) in [
            (0, "0.0"),
            (499, "0.0"),
            (500, "0.001"),
            (1_000_000, "1.0"),
            (12_340_000, "12.34"),
            (12_300_000, "12.3"),
            (10_050_000, "10.05"),
            (999_999_500, "1000.0"),
            (61_000_007_000, "61000.007"),
        ] {
            let line = written(|object| object.milliseconds("ms", Duration::from_nanos(nanos)));
            assert_eq!(line, format!("{{\"ms\":{expected}}}\n"), "{nanos}");
        }
    }

    #[test]
    fn a_timestamp_is_in_utc_to_the_millisecond() {
        for (milliseconds, expected) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (1_795_420_900_123, "2026-11-23T08:01:40.123Z"),
            (1_795_420_900_007, "2026-11-23T08:01:40.007Z"),
            (951_827_696_999, "2000-02-29T12:34:56.999Z"),
        ] {
            let at = UNIX_EPOCH + Duration::from_millis(milliseconds);
            assert_eq!(str::from_utf8(&timestamp(at)).unwrap(), expected);
        }
        assert_eq!(timestamp(UNIX_EPOCH - Duration::from_secs(9)), timestamp(UNIX_EPOCH));
    }

    proptest! {
        #[test]
        fn any_text_is_read_back(text in ".*") {
            let line = written(|object| object.text("text", &text));
            let read: serde_json::Value = serde_json::from_str(&line).unwrap();
            prop_assert_eq!(read.get("text").and_then(serde_json::Value::as_str), Some(&*text));
        }

        #[test]
        fn any_moment_is_read_back(milliseconds in 0_i64..4_000_000_000_000) {
            let at = UNIX_EPOCH + Duration::from_millis(milliseconds.unsigned_abs());
            let printed = timestamp(at);
            let read: jiff::Timestamp = str::from_utf8(&printed).unwrap().parse().unwrap();
            prop_assert_eq!(read.as_millisecond(), milliseconds);
        }
    }
}
