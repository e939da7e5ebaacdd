use std::path::Path;

use dmail_core::Uid;
use dmail_core::config::{Loaded, load_with, manual_markdown};

use super::*;

fn load(text: &str) -> Loaded<Settings> {
    let mut read = |_: &Path| Ok(format!("mysql_login dmail\n{text}"));
    load_with(Path::new("mysqlauth.ini"), &mut read, &VOCABULARY, Settings::build)
}

#[test]
fn the_documentation_is_the_manual() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/mysqlauth.ini.md");
    let manual = manual_markdown(&VOCABULARY);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&file, &manual).expect("docs can be written");
    }
    let written = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(written == manual, "run the tests with UPDATE_DOCS=1, and commit {file:?}");
}

#[test]
fn a_file_of_the_original_works_as_it_is() {
    let loaded = load(
        "# the original's\ndomain corp.example\nmysql_server localhost\n\
         mysql_password opensesame\nmysql_mail_user_db maildb\nmysql_mail_user_table maildb\n\
         mysql_mail_uid 99\nuse_sqlupdate true\nfield_username username\nfield_password passwd\n\
         field_forward forward\nfield_quota quota\nfield_mailmask mailmask\n\
         field_maildrop maildrop\nmysql_pwd_set true\ninfo_fields created created\n\
         info_fields full_name full_name\n",
    );
    let settings = loaded.settings.unwrap_or_else(|| panic!("{:?}", loaded.diagnostics));
    assert!(loaded.diagnostics.is_empty(), "{:?}", loaded.diagnostics);
    let tcp = Address::Tcp { host: "localhost".into(), port: 3306 };
    assert_eq!(settings.server.servers, [tcp]);
    assert_eq!(settings.table.info_fields.len(), 2);
    assert_eq!(settings.table.default_uid, Some(Uid::Number(99)));
    assert_eq!(settings.places.blame("field_quota"), "field_quota (mysqlauth.ini:13)");
    assert_eq!(settings.places.blame("field_uid"), "field_uid (its default)");
    assert_eq!(settings.places.blame_info("full_name"), "info_fields (mysqlauth.ini:18)");
}

#[test]
fn mistakes_are_told_with_their_lines() {
    let rows = [
        ("mysql_server db:0", "2:14: error: `mysql_server` needs"),
        ("mysql_server a,a", "2:16: error"),
        ("mysql_mail_user_table a.b.c", "neither table nor database.table"),
        ("field_username user`name", "2:20: error"),
        ("info_fields created", "not two words"),
        ("mysql_pwd_set true\nplain_password true", "cannot be true at once"),
        ("plain_password true\nrehash true", "`rehash` needs stored passwords"),
        ("query_check SELECT ?", "write a name such as :user"),
        ("query_check SELECT :pasword", "there are: :user, :local, :domain, :client"),
        ("query_set UPDATE t SET a = :user", "add query_check"),
        ("query_check SELECT 1\nrehash true", "statements of your own replace it"),
        ("mysql_connections_min 20", "raise mysql_connections"),
        ("mysql_tls_cert /x", "need each other"),
        ("mysql_server db.corp.example", "warning: passwords' hashes cross the network"),
        ("mysql_tls_ca /x", "warning: `mysql_tls_ca` has no effect"),
        ("loglevel debug", "warning: `loglevel` is known to the original"),
        ("field_qouta quota", "did you mean `field_quota`?"),
    ];
    for (text, expected) in rows {
        let loaded = load(text);
        let said: Vec<String> = loaded.diagnostics.iter().map(ToString::to_string).collect();
        assert!(said.iter().any(|line| line.contains(expected)), "{text}: {said:?}");
        let is_error = loaded.diagnostics.iter().any(|diagnostic| diagnostic.is_error());
        assert_eq!(loaded.settings.is_none(), is_error, "{text}");
    }
}

#[test]
fn a_server_is_a_host_with_a_port_or_a_socket() {
    let loaded = load("mysql_server db1,10.0.0.1:3307,[::1]:3308,::2,/run/my.sock\nmysql_tls true");
    let settings = loaded.settings.unwrap_or_else(|| panic!("{:?}", loaded.diagnostics));
    let shown: Vec<String> = settings.server.servers.iter().map(ToString::to_string).collect();
    assert_eq!(shown, ["db1:3306", "10.0.0.1:3307", "[::1]:3308", "[::2]:3306", "/run/my.sock"]);
}

#[test]
fn no_message_shows_the_password() {
    let loaded = load("mysql_password opensesame\nmysql_password opensesame2\nplain_password yess");
    let said = format!("{:?}", loaded.diagnostics);
    assert!(loaded.settings.is_none() && !said.contains("opensesame"), "{said}");
}
