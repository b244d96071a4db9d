//! Answers with a patient in every place that a provider writes.

use super::numbers::Numbers;
use crate::scripted::Step;

/// Answers of a provider: good, wrong, and no answer at all.
pub(super) fn planted_answers(numbers: &mut Numbers) -> Vec<Vec<Step>> {
    let mut answers = Vec::new();
    let text = |text: String| vec![Step::send(text), Step::Close];
    for status in ["200 OK", "404 Not Found", "500 Oops", "503 Busy"] {
        let body = format!("{{\"resourceType\":\"Patient\",\"id\":\"{}\"}}", numbers.word());
        answers.push(text(format!(
            "HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )));
        answers.push(text(format!("HTTP/1.1 {status}\r\nContent-Length: 9999\r\n\r\n{body}")));
        answers.push(text(format!(
            "HTTP/1.1 {status}\r\nTransfer-Encoding: chunked\r\n\r\n{body}\r\n"
        )));
        for header in [
            "Location",
            "ETag",
            "Content-Type",
            "Set-Cookie",
            "Ssp-TraceID",
            "Via",
            "Connection",
            "Server",
            "Transfer-Encoding",
            "Content-Length",
            "WWW-Authenticate",
        ] {
            answers.push(text(format!(
                "HTTP/1.1 {status}\r\n{header}: {}\r\nContent-Length: 0\r\n\r\n",
                numbers.word()
            )));
        }
    }
    for answer in [
        numbers.word(),
        format!("{}\r\n\r\n", numbers.word()),
        format!("HTTP/1.1 {}\r\n\r\n", numbers.word()),
        format!("HTTP/1.1 200 {}\r\nContent-Length: 0\r\n\r\n", numbers.word()),
        format!("HTTP/1.1 200 OK\r\n{}\r\n\r\n", numbers.word()),
        format!("HTTP/1.1 200 OK\r\nX-{}: 1", numbers.word()),
        format!("HTTP/1.1 200 OK\r\nX-One: {}\0\r\n\r\n", numbers.word()),
        format!("HTTP/1.1 200 OK\r\nX-One: {}\r\n\r\n", numbers.word().repeat(100_000)),
        format!("HTTP/1.1 100 {}\r\n\r\n", numbers.word()),
        format!(
            "HTTP/1.1 101 {}\r\nUpgrade: {}\r\n\r\n{}",
            numbers.word(),
            numbers.word(),
            numbers.word()
        ),
        format!("HTTP/1.1 204 No Content\r\n\r\n{}", numbers.word()),
    ] {
        answers.push(text(answer));
    }
    let word = numbers.word();
    answers.push(vec![Step::send(format!("HTTP/1.1 200 OK\r\nX-One: {word}")), Step::Reset]);
    answers.push(vec![Step::send(format!("HTTP/1.1 200 OK\r\n\r\n{word}")), Step::Reset]);
    answers.push(vec![Step::Reset]);
    answers
}
