//! Where webhooks go besides the terminal: JSON, another receiver, an output that nobody reads.

use super::*;

#[test]
fn a_closed_output_is_noticed() {
    struct Gone;
    impl Write for Gone {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let receiver = Receiver {
        answers: AnswerOptions { answer: 200, fail: 0, slow_ms: 0 },
        form: Form::Json,
        verifier: verifier(&[], &[]),
        forward: None,
        request_timeout: REQUEST_TIMEOUT,
        closed: Notify::new(),
        state: Mutex::new(State::new(0, Box::new(Gone))),
    };
    receiver.print(&mut receiver.state(), "x");
    // The notice waits for the one who asks.
    let noticed = async { timeout(DEADLINE, receiver.closed.notified()).await };
    assert!(Runtime::new().unwrap().block_on(noticed).is_ok());
}

#[test]
fn webhooks_are_json_on_one_line_each() {
    let listening = Listening::new(verifier(&[SECRET], &[]), REQUEST_TIMEOUT, |settings| settings.form = Form::Json);
    listening.post(&signed(SECRET, "wh_1", BODY), BODY);
    listening.post(&signed(OTHER, "wh_2", "\u{9b}1m"), "\u{9b}1m");
    let printed = listening.printed();
    let all: Vec<serde_json::Value> = printed.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(all.len(), 2, "{printed}");
    assert_eq!((&all[0]["event"], &all[0]["verified"]), (&json!("job.completed"), &json!(true)));
    assert_eq!(all[0]["signedBy"], json!(["v1 by secret 1"]));
    assert_eq!(all[0]["body"]["data"]["job_id"], "job_1");
    assert_eq!((&all[1]["verified"], &all[1]["body"]), (&json!(false), &json!("\u{9b}1m")));
    assert!(all[1]["reason"].as_str().unwrap().starts_with("the signature does not match"), "{printed}");
    assert!(!printed.contains('\u{9b}'), "{printed:?}");
}

#[test]
fn a_webhook_is_passed_on_as_it_came_and_answered_as_the_other_receiver_answers() {
    let second = Listening::new(verifier(&[SECRET], &[]), REQUEST_TIMEOUT, |settings| settings.answer = 410);
    let url = Url::parse(&format!("http://127.0.0.1:{}/hooks", second.port)).unwrap();
    let first = Listening::new(verifier(&[SECRET], &[]), REQUEST_TIMEOUT, |settings| {
        (settings.fail, settings.forward) = (1, Some(Forward::new(url).unwrap()));
    });
    assert_eq!(first.post(&signed(SECRET, "wh_0", BODY), BODY), 500);
    assert_eq!(first.post(&signed(SECRET, "wh_1", BODY), BODY), 410);
    let printed = second.printed();
    assert_eq!(line(&printed, "webhook-id"), Some("wh_1"), "the one that failed is not passed on");
    assert_eq!(line(&printed, "verified"), Some("v1 by secret 1"));
    assert!(printed.contains("job.completed  /hooks  answered 410\n"), "{printed}");
}

#[test]
fn a_receiver_that_is_not_there_is_a_failed_attempt() {
    let closed = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
    let url = Url::parse(&format!("http://127.0.0.1:{closed}/")).unwrap();
    let listening = Listening::new(verifier(&[], &[]), REQUEST_TIMEOUT, |settings| {
        settings.forward = Some(Forward::new(url).unwrap());
    });
    assert_eq!(listening.post(&[], BODY), 502);
    assert!(listening.printed().contains("can't be reached"), "{}", listening.printed());
}
