//! Clients that take too much, are too slow, or speak something else. The
//! server stays up, in step, and within its means.

use std::hash::{BuildHasher, RandomState};
use std::thread;
use std::time::Duration;

use dmail_tests::client::Client;
use dmail_tests::server::Server;
use dmail_tests::site::Site;
use dmail_tests::wait;

fn site() -> Site {
    Site::nwauth().user("bob", "bobs-password")
}

/// Fails if a well-behaved client is not served.
fn assert_serves(server: &Server) {
    server.smtp_client().deliver(&["bob@corp.example"], "Subject: still here\r\n\r\n");
    let mut client = server.pop_client();
    client.ask("USER bob", "+OK");
    client.ask("PASS bobs-password", "+OK");
    client.ask("QUIT", "+OK");
}

#[test]
fn a_client_has_so_many_connections_and_no_more() {
    let site = site().set("max_connections_per_ip 3");
    let server = site.serve();
    let mut smtp: Vec<Client> = (0..3).map(|_| server.smtp_client()).collect();
    let mut pop: Vec<Client> = (0..3).map(|_| server.pop_client()).collect();
    Client::connect(server.smtp()).expect("421 ");
    Client::connect(server.pop()).expect("-ERR [SYS/TEMP] ");
    smtp.pop();
    pop.pop();
    wait::until("the places are free again", || {
        let greeted = |address| Client::connect(address).try_reply().unwrap_or_default();
        greeted(server.smtp()).starts_with("220 ") && greeted(server.pop()).starts_with("+OK")
    });
}

#[test]
fn all_clients_together_have_so_many_and_no_more() {
    let site = site().set("smtp_max_connections 2").set("pop_max_connections 2");
    let server = site.serve();
    let _smtp = [server.smtp_client(), server.smtp_client()];
    let _pop = [server.pop_client(), server.pop_client()];
    Client::connect(server.smtp()).expect("421 ");
    Client::connect(server.pop()).expect("-ERR [SYS/TEMP] ");
}

#[test]
fn the_tail_of_an_overlong_line_is_no_command() {
    let site = site();
    let server = site.serve();
    let long = "x".repeat(100_000);
    let mut smtp = server.smtp_client();
    smtp.ask(&format!("NOOP {long}\tQUIT"), "500 ");
    smtp.ask("NOOP", "250 ");
    smtp.ask(&format!("MAIL FROM:<{long}@far.example>"), "500 ");
    smtp.ask("MAIL FROM:<s@far.example>", "250 ");
    let mut pop = server.pop_client();
    pop.ask(&format!("USER {long} QUIT"), "-ERR ");
    pop.ask("CAPA", "+OK");
    let _ = pop.try_block();
    assert_serves(&server);
}

#[test]
fn only_cr_lf_dot_cr_lf_ends_a_message() {
    let site = site();
    let server = site.serve();
    for end in ["\n.\n", "\n.\r\n", "\r\n.\n", "\r.\r", "\r\n.\r", "\n.\r"] {
        let mut client = server.smtp_client();
        client.ask("MAIL FROM:<s@far.example>", "250 ");
        client.ask("RCPT TO:<bob@corp.example>", "250 ");
        client.ask("DATA", "354 ");
        let smuggled = "MAIL FROM:<smuggled@far.example>\r\nRCPT TO:<bob@corp.example>\r\nDATA\r\n";
        client.send_bytes(format!("Subject: a\r\n\r\ntext{end}{smuggled}\r\n.\r\n").as_bytes());
        client.expect("550 ");
        client.ask("NOOP", "250 ");
    }
    assert_eq!(site.messages(&server, "bob", "bobs-password").len(), 0);
}

/// One byte now and then keeps nobody's connection open.
fn dribble_until_closed(client: &mut Client, bytes: &[u8]) {
    wait::until("the server has enough", || {
        thread::sleep(Duration::from_millis(20));
        client.try_send_bytes(bytes).is_err()
    });
}

#[test]
fn a_client_that_dribbles_is_cut_off() {
    let site = site().set("smtp_timeout 1").set("smtp_data_timeout 1").set("pop_timeout 1");
    let server = site.serve();
    thread::scope(|scope| {
        let server = &server;
        scope.spawn(move || dribble_until_closed(&mut server.smtp_client(), b"N"));
        scope.spawn(move || {
            let mut client = server.smtp_client();
            client.ask("MAIL FROM:<s@far.example>", "250 ");
            client.ask("RCPT TO:<bob@corp.example>", "250 ");
            client.ask("DATA", "354 ");
            dribble_until_closed(&mut client, b"x\r\n");
        });
        scope.spawn(move || {
            let mut client = server.pop_client();
            client.ask("USER bob", "+OK");
            client.ask("PASS bobs-password", "+OK");
            dribble_until_closed(&mut client, b"N");
        });
        scope.spawn(move || server.smtp_client().expect("421 "));
    });
    assert_serves(&server);
}

#[test]
fn a_browser_is_shown_the_door() {
    let site = site();
    let server = site.serve();
    let post = "POST / HTTP/1.1\r\nHost: mail\r\nContent-Length: 99\r\n\r\n\
                MAIL FROM:<s@far.example>\r\nRCPT TO:<bob@corp.example>\r\n";
    for request in [post, "GET / HTTP/1.1\r\nHost: mail\r\n\r\n"] {
        let mut smtp = Client::connect(server.smtp());
        smtp.expect("220 ");
        smtp.send_bytes(request.as_bytes());
        let said = smtp.rest();
        assert!(said.starts_with("421 ") && said.lines().count() == 1, "{said}");
        let mut pop = server.pop_client();
        pop.send_bytes(request.as_bytes());
        pop.send("QUIT");
        let said = pop.rest();
        assert!(said.lines().all(|line| line.starts_with("-ERR") || line.starts_with("+OK")));
    }
    assert_serves(&server);
}

#[test]
fn who_only_makes_mistakes_is_hung_up_on() {
    let site = site().set("max_errors 4");
    let server = site.serve();
    for address in [server.smtp(), server.pop()] {
        let mut client = Client::connect(address);
        for _ in 0..30 {
            // It may have hung up already.
            let _ = client.try_send_bytes(b"NONSENSE\r\n");
        }
        assert!(client.rest().lines().count() < 9);
    }
    let mut client = server.smtp_client();
    client.ask("MAIL FROM:<s@far.example>", "250 ");
    let mut guesses = 0;
    while client.try_ask("RCPT TO:<guess@corp.example>").is_ok_and(|reply| reply.starts_with("550"))
    {
        guesses += 1;
    }
    assert!(guesses < 30, "names are not to be probed");
}

#[test]
fn garbage_leaves_no_trace() {
    let site = site();
    let mut server = site.serve();
    assert_serves(&server);
    let files = wait::open_files(server.pid());
    let random = RandomState::new();
    for round in 0..100_u64 {
        let noise: Vec<u8> =
            (0..512).flat_map(|n| random.hash_one((round, n)).to_le_bytes()).collect();
        for address in [server.smtp(), server.pop()] {
            let mut client = Client::connect(address);
            // Both sides may hang up at any time.
            let _ = client.try_send_bytes(&noise);
            if round % 2 == 0 {
                let _ = client.try_send_bytes(b"\r\nQUIT\r\n");
                let _ = client.rest();
            }
        }
    }
    assert!(server.is_running());
    assert_serves(&server);
    wait::until("no descriptor is left", || wait::open_files(server.pid()) <= files);
    server.stop();
}
